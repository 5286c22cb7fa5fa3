"""Reads metrics from lines of a log, as CloudWatch Logs does with the embedded metric format.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MOST_DIMENSIONS, LONGEST_VALUE = 30, 1024


class Measurement(NamedTuple):
    """One value of one metric."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    unit: str
    value: float

    @property
    def metric(self) -> tuple[str, str, frozenset[tuple[str, str]]]:
        """What an alarm names: namespace, metric and dimensions."""
        return self.namespace, self.name, self.dimensions


def measurements(lines: Iterable[str]) -> Iterator[Measurement]:
    """Yields the values that CloudWatch makes from the lines. Asserts that it takes each line."""
    for line in lines:
        if not line.startswith("{") or "_aws" not in (fields := json.loads(line)):
            continue
        assert isinstance(fields["_aws"]["Timestamp"], int)
        for directive in fields["_aws"]["CloudWatchMetrics"]:
            assert directive["Dimensions"] and directive["Metrics"], line
            for names in directive["Dimensions"]:
                assert len(names) <= MOST_DIMENSIONS
                dimensions = frozenset((name, fields[name]) for name in names)
                assert all(0 < len(value) <= LONGEST_VALUE for _, value in dimensions), line
                for metric in directive["Metrics"]:
                    values = fields[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        yield Measurement(
                            directive["Namespace"],
                            metric["Name"],
                            dimensions,
                            metric["Unit"],
                            float(value),
                        )
