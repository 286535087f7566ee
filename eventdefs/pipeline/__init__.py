"""The pipeline: which events and samples go to which publishers, and how they get there."""

from __future__ import annotations

from eventdefs.pipeline.files import Line, PipelineFile, load_pipeline, parse_pipeline
from eventdefs.pipeline.routes import Route, Source
from eventdefs.pipeline.running import Pipeline, Sink

__all__ = ["Line", "Pipeline", "PipelineFile", "Route", "Sink", "Source", "load_pipeline", "parse_pipeline"]
