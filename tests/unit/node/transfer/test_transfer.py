"""Real transfers over loopback: to one and along a chain, gone on with, mended, refused."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from node.delivery import offers
from node.errors import Refusal
from node.host.system import System
from node.transfer import bundle, holding, receive
from node.transfer.bundle import Item, Parcel
from node.transfer.receive import Receiver, offered
from node.transfer.server import Server
from node.verbs.spread import Source

NAME = "model:acme--a"
KEY = "the key"
SEGMENT = 64 * 1024
LOOPBACK = ["127.0.0.1/8"]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("holding", "streams"):
        monkeypatch.setattr(f"node.transfer.{module}.SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr(receive, "PAUSE_S", 0.01)


class Giving:
    """A source on loopback, and what it offers."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "source"
        (self.root / "blobs").mkdir(parents=True)
        self.system = System(folder / "machine")
        self.system.path(offers.FOLDER).mkdir(parents=True)
        self.system.path("/var/lib/sparkform/spread").mkdir(parents=True)
        self.system.write("/var/lib/sparkform/spread/key", KEY)
        self.items: dict[str, Item] = {}
        self.server = Server("127.0.0.1", 0, Source(self.system))
        self.server.run_beside()

    def file(self, name: str, size: int) -> None:
        data = os.urandom(size)
        (self.root / "blobs" / name).write_bytes(data)
        self.items[f"blobs/{name}"] = Item(size, f"sha256:{hashlib.sha256(data).hexdigest()}")

    def offer(self) -> None:
        text = Parcel(NAME, str(self.root), self.items).to_text()
        self.system.write(f"{offers.FOLDER}/{quote(NAME, safe='')}", text)

    def source(self, me: str = "spark-2", key: str = KEY) -> receive.Source:
        port = self.server.server_address[1]
        return receive.Source("spark-1", ["127.0.0.1"], LOOPBACK, port, key, me)


@pytest.fixture
def giving(tmp_path: Path) -> Iterator[Giving]:
    found = Giving(tmp_path)
    found.file("large", 5 * SEGMENT + 17)
    found.file("small", 3)
    found.file("none", 0)
    found.offer()
    yield found
    found.server.shutdown()
    found.server.server_close()


def receiver(giving: Giving, folder: Path, me: str = "spark-2", has: str = "") -> Receiver:
    source = giving.source(me)
    return Receiver(source, offered(source, NAME), folder, lambda place: place == has)


def whole(giving: Giving, folder: Path) -> bool:
    names = os.listdir(folder / "blobs")
    return sorted(names) == ["large", "none", "small"] and all(
        (folder / "blobs" / name).read_bytes() == (giving.root / "blobs" / name).read_bytes()
        for name in names
    )


def test_all_of_it_comes_and_nothing_else_stays(giving: Giving, tmp_path: Path) -> None:
    receiver(giving, tmp_path / "b").run()
    assert whole(giving, tmp_path / "b")
    assert os.listdir(tmp_path / "b") == ["blobs"]


def test_three_at_once_make_a_chain_and_the_source_sends_little_more_than_once(
    giving: Giving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = Server.sends

    def counted(server: Server) -> None:
        sent.extend([1] if server is giving.server else [])
        send(server)

    monkeypatch.setattr(Server, "sends", counted)
    folders = [tmp_path / name for name in "bcd"]
    all_of_them = [
        receiver(giving, folder, f"spark-{number}") for number, folder in enumerate(folders, 2)
    ]
    threads = [threading.Thread(target=one.run) for one in all_of_them]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(whole(giving, folder) for folder in folders)
    # Alone it is asked for seven segments of three files; thrice that would be a star.
    assert 0 < len(sent) < 3 * 7


def test_what_is_here_is_not_sent_again(giving: Giving, tmp_path: Path) -> None:
    first = receiver(giving, tmp_path / "b")
    first.run()
    (tmp_path / "b" / "blobs" / "small").unlink()
    again = receiver(giving, tmp_path / "b", has="blobs/large")
    assert again.missing() == 3
    again.run()
    assert whole(giving, tmp_path / "b")


def test_a_transfer_that_was_killed_goes_on_where_it_was(giving: Giving, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    begun = receiver(giving, folder)
    draft = begun.arriving.path("blobs/large")
    draft.parent.mkdir(parents=True)
    right = (giving.root / "blobs" / "large").read_bytes()
    draft.write_bytes(right[:SEGMENT] + bytes(len(right) - SEGMENT))
    begun.arriving.add("blobs/large", 0, SEGMENT)
    begun.arriving.note()

    again = receiver(giving, folder)
    assert again.missing() == len(right) - SEGMENT + 3
    again.run()
    assert whole(giving, folder)


def test_a_part_that_lies_there_damaged_is_fetched_again(giving: Giving, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    begun = receiver(giving, folder)
    draft = begun.arriving.path("blobs/large")
    draft.parent.mkdir(parents=True)
    draft.write_bytes(bytes(giving.items["blobs/large"].size))
    begun.arriving.add("blobs/large", 0, SEGMENT)
    begun.arriving.note()
    receiver(giving, folder).run()
    assert whole(giving, folder)


def test_a_source_that_sends_wrong_bytes_twice_is_refused(giving: Giving, tmp_path: Path) -> None:
    (giving.root / "blobs" / "small").write_bytes(b"bad")
    with pytest.raises(Refusal, match=r"blobs/small .* came from spark-1 twice with wrong"):
        receiver(giving, tmp_path / "b").run()


def test_a_giver_that_does_not_answer_is_left_for_the_source(
    giving: Giving, tmp_path: Path
) -> None:
    """It joined and died: the next one is sent to it and finds nobody there."""
    dead = {"addresses": LOOPBACK, "port": 1, "avoid": []}
    giving.source("spark-9").ask("/join", name=NAME, who="spark-9", **dead)
    receiver(giving, tmp_path / "b").run()
    assert whole(giving, tmp_path / "b")


def test_one_without_the_key_gets_nothing(giving: Giving) -> None:
    with pytest.raises(Refusal, match="its key is of another stack"):
        offered(giving.source(key="another key"), NAME)


def test_an_answer_of_one_without_the_key_is_not_taken(
    giving: Giving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.transfer.signing.answer", lambda *given: os.urandom(8).hex())
    with pytest.raises(Refusal, match="answers without the key"):
        offered(giving.source(), NAME)


def test_what_is_not_offered_is_said(giving: Giving) -> None:
    with pytest.raises(Refusal, match=r"model:other cannot be fetched: .* does not offer this now"):
        offered(giving.source(), "model:other")


@pytest.mark.parametrize("place", ["../etc/passwd", "/etc/passwd", "a/../../b", ""])
def test_a_place_outside_the_folder_is_refused(place: str) -> None:
    stored = json.loads(Parcel(NAME, "/x", {place: Item(1, "sha256:0")}).to_text())
    with pytest.raises(Refusal, match="leads out of its folder"):
        bundle.made(stored)


def test_segments_cover_a_file_exactly() -> None:
    for size in (0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 7 * SEGMENT):
        count = holding.segments(size)
        assert sum(holding.segment_size(size, index) for index in range(count)) == size
