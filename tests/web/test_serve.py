"""`tieout serve` and its home: what stands open is shown, a signal loses no run."""

from __future__ import annotations

import re
import signal
import socket

import pytest
from demo_home import Home, until


def test_text_is_never_taken_for_markup_on_the_page(home: Home) -> None:
    home.project("[flows.companies]", '[flows."<b>x&y</b>"]')
    assert home.run("init", "--apply").code == 0
    with home.served() as found:
        page = found.signed_in("ana").page("/")
    assert "<b>" not in page
    assert "&lt;b&gt;x&amp;y&lt;/b&gt;" in page
    assert "has not run" in page


def test_the_page_tells_of_a_difference_where_it_is_and_its_amount(home: Home) -> None:
    assert home.run("map", "business-unit", "J77", "--withdraw", "--why", "a test").code == 0
    assert home.run("run", "actuals").code == 5
    home.project("prior_years = 1", "prior_years = 2")
    with home.served() as found:
        ana = found.signed_in("ana")
        page = ana.page("/")
        assert "differs from the applied configuration" in page
        home.project("prior_years = 2", "prior_years = 1")
        page = ana.page("/")
        run = ana.page("/runs/actuals-3")
    assert "Actuals needs attention in " in page
    assert "2 findings of actuals to settle." in page
    assert "unmatched-member" in run
    assert re.search(r"[\d,]+\.\d\d USD", run)


def test_a_taken_port_is_passed_over_and_the_page_found_where_it_says(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with home.served("--port", str(port)) as found:
            assert int(found.url.rpartition(":")[2]) > port
            assert found.ask("/healthz")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_step_end_and_the_next_server_finishes_the_run(
    home: Home, number: int
) -> None:
    # The answer to the first data request is late: the signal comes while its step is under way.
    home.control("jde", "faults", add={"kind": "delay", "seconds": 3, "path": "dataservice"})
    home.forget_requests()
    with home.served() as found:
        assert home.run("run", "actuals", "--full", "--no-wait").code == 0
        until(lambda: home.requests("jde", "dataservice"))
        assert found.stopped(number) == 0
    [(run, outcome)] = home.rows("select id, outcome from app_run order by started_at desc limit 1")
    assert outcome == "running"
    with home.served():
        until(lambda: home.rows(f"select 1 from app_run where id='{run}' and outcome='complete'"))
    assert home.rows("select count(*) from app_run where outcome in ('running', 'waiting')") == [
        (0,)
    ]
