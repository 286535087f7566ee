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


def main():
    out = sys.stdout
    sys.stdout = sys.stderr  # jsonpath-rw-ext prints while it parses
    events = meters = body = data = None
    for line in sys.stdin:
        request = json.loads(line)
        do = request["do"]
        seconds = 0.0
        if do == "load":
            began = time.perf_counter()
            events = load_events(request["file"])
            seconds = time.perf_counter() - began
        elif do == "meters":
            meters = load_meters(request["folder"])
        elif do == "body":
            data = request["json"].encode()
            body = json.loads(data)
        elif do == "convert":
            seconds = per_call(lambda: events.to_event("info", body))
        elif do == "bytes":
            seconds = per_call(lambda: json.dumps(events.to_event("info", json.loads(data)).serialize()).encode())
        elif do == "samples":
            seconds = per_call(lambda: (events.to_event("info", body), list(meters.build_sample(body))))
        out.write(json.dumps({"seconds": seconds}) + "\n")
        out.flush()


main()
