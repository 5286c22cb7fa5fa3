"""Whatever comes in, on any way: nothing is written after a refusal, no error is unhandled, no
message is over its limit, and no secret is shown.

A case is a seed, a way in and a number, and its events depend on nothing else:
`make fuzz CASE=7/queue/12` runs one again.
"""

import os

import pytest

from support.fuzz.run import EVENTS_PER_CASE, WAYS, Bench, Figures
from support.sampling import OFFSET

SAMPLE = 800
"""Events of a run without `FUZZ_EVENTS`, over all ways."""


@pytest.fixture(name="bench", scope="module")
def _bench(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield Bench(tmp_path_factory.mktemp("fuzz"), patch)


@pytest.mark.parametrize("way", WAYS)
def test_an_event_is_handled_or_refused_without_a_trace(bench, way, figure):
    seed = os.environ.get("FUZZ_SEED") or OFFSET
    count = int(os.environ.get("FUZZ_EVENTS") or SAMPLE) // len(WAYS) // EVENTS_PER_CASE
    cases = [f"{seed}/{way}/{number}" for number in range(count)]
    if only := os.environ.get("FUZZ_CASE"):
        cases = [only] if f"/{way}/" in only else []
    figures = Figures()
    for case in cases:
        bench.run(case, figures)
    figure(f"fuzz {way}", str(figures))
    if figures.violations:
        found = "\n\n".join(figures.violations.values())
        pytest.fail(f"{figures.found} violations, one of each kind:\n\n{found}", pytrace=False)
