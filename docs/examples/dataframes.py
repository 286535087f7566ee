"""Makes of usage records, as lines of JSON, the body of CloudKitty's POST /v2/dataframes.

Arguments are prices by flavor: FLAVOR=PRICE, in your currency for an hour. What has no price costs nothing.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal


def main() -> None:
    prices = {flavor: Decimal(price) for flavor, _, price in (word.rpartition("=") for word in sys.argv[1:])}
    frames: dict[str, dict] = {}
    for line in sys.stdin:
        usage = json.loads(line)
        begin, end = (usage[key].replace("-", "").replace(":", "") for key in ("period_start", "period_end"))
        frame = frames.setdefault(begin, {"period": {"begin": begin, "end": end}, "usage": {}})
        delta = Decimal(usage["delta"])
        frame["usage"].setdefault(usage["meter"], []).append(
            {
                "vol": {"unit": usage["unit"], "qty": float(delta)},
                "rating": {"price": float(delta * prices.get(usage["dimensions"].get("flavor"), 0))},
                "groupby": {"project_id": usage["project_id"], "id": usage["resource_id"]},
                "metadata": {**usage["dimensions"], "revision": str(usage["revision"])},
            }
        )
    print(json.dumps({"dataframes": [frames[begin] for begin in sorted(frames)]}))


main()
