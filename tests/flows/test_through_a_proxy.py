"""A network whose only way out is a proxy: all is loaded and tied out by it, nothing past it."""

from __future__ import annotations

from pathlib import Path

from pinged import made

from tieout.verbs import demo, practice, setting_up

LOGIN = {"proxy_username": "proxy user", "proxy_password": "proxy word"}


def test_both_systems_are_loaded_and_tie_by_way_of_a_proxy_that_asks_who_we_are(
    tmp_path: Path,
) -> None:
    broken = made(tmp_path / "home")
    books = broken.books
    broken.behind(login="proxy user:proxy word")
    anaplan = broken.behind_proxy(login="proxy user:proxy word")
    right = practice.credentials(books.home)
    setting_up.connect(books.instance, "erp", right["jde"] | LOGIN)
    setting_up.connect(books.instance, "planning", right["anaplan"] | LOGIN)
    for system in ("jde", "anaplan"):
        books.requests(system)
    runs = [books.run(flow) for flow in demo.FLOWS]
    demo.map_unmatched(books.instance, runs.pop())
    runs.append(books.run())
    assert [run.outcome for run in runs] == ["complete"] * len(demo.FLOWS)

    target = next(iter(anaplan.asked))
    assert set(anaplan.asked) == {target}
    assert f'api_url = "https://{target}/2/0"' in (books.home / "tieout.toml").read_text()
    assert [books.requests(system) for system in ("jde", "anaplan")] == [[], []]
    broken.undo.close()
    books.close()
