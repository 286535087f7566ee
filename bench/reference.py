"""Ceilometer, in an environment of its own: answers on standard output how long it takes.

Run by `bench.oracle` with the Python of an environment in which Ceilometer 27.0.0 is installed; it reads one
JSON request a line, {"do": ..., ...}, and answers {"seconds": ...} for one call.
"""

import json
import logging
import sys
import time
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from ceilometer import service  # noqa: E402
from ceilometer.event import converter  # noqa: E402
from ceilometer.meter import notifications  # noqa: E402
from stevedore import extension  # noqa: E402

PLUGINS = extension.ExtensionManager(namespace="ceilometer.event.trait_plugin")
CONF = service.prepare_service([], [])


def load_events(file):
    CONF.set_override("definitions_cfg_file", file, group="event")
    # What a path was parsed to is kept for ever by the class, so that only the first load parses.
    converter.declarative.Definition.GETTERS_CACHE.clear()
    return converter.setup_events(CONF, PLUGINS)


def load_meters(folder):
    CONF.set_override("meter_definitions_dirs", [folder], group="meter")
    return notifications.ProcessMeterNotifications(CONF, None)


def per_call(call, seconds=0.05):
    repeats = 1
    while True:
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        taken = time.perf_counter() - began
        if taken >= seconds:
            return taken / repeats
        repeats *= 2


class Reference:
    """What was loaded, and what is done with it."""

    def load(self, file):
        began = time.perf_counter()
        self.events = load_events(file)
        return time.perf_counter() - began

    def meters(self, folder):
        self.definitions = load_meters(folder)

    def notification(self, text):
        self.data = text.encode()
        self.body = json.loads(self.data)

    def convert(self):
        return per_call(lambda: self.events.to_event("info", self.body))

    def bytes(self):
        convert = self.events.to_event
        return per_call(lambda: json.dumps(convert("info", json.loads(self.data)).serialize()).encode())

    def samples(self):
        build = self.definitions.build_sample
        return per_call(lambda: (self.events.to_event("info", self.body), list(build(self.body))))


def main():
    out = sys.stdout
    sys.stdout = sys.stderr  # jsonpath-rw-ext prints while it parses
    reference = Reference()
    for line in sys.stdin:
        request = json.loads(line)
        seconds = getattr(reference, request.pop("do"))(**request)
        out.write(json.dumps({"seconds": seconds or 0.0}) + "\n")
        out.flush()


main()
