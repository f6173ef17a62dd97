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
from node.errors import StepError
from node.host.system import System
from node.transfer import bundle, holding, receive
from node.transfer.bundle import Bundle, Item
from node.transfer.messages import TransferRequest
from node.transfer.receive import Receiver, fetch_offer
from node.transfer.server import TransferServer
from node.verbs.spread import TransferSource

NAME = "model:acme--a"
KEY = "the key"
SEGMENT = 64 * 1024
LOOPBACK = ["127.0.0.1/8"]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("holding", "streams"):
        monkeypatch.setattr(f"node.transfer.{module}.SEGMENT_BYTES", SEGMENT)
    monkeypatch.setattr(receive, "PAUSE_S", 0.01)


class LoopbackSource:
    """A source on loopback, and what it offers."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "source"
        (self.root / "blobs").mkdir(parents=True)
        self.system = System(folder / "machine")
        self.system.path(offers.FOLDER).mkdir(parents=True)
        self.system.path("/var/lib/sparkform/spread").mkdir(parents=True)
        self.system.write("/var/lib/sparkform/spread/key", KEY)
        self.items: dict[str, Item] = {}
        self.server = TransferServer("127.0.0.1", 0, TransferSource(self.system))
        self.server.start()

    def add_file(self, name: str, size: int) -> None:
        data = os.urandom(size)
        (self.root / "blobs" / name).write_bytes(data)
        self.items[f"blobs/{name}"] = Item(size, f"sha256:{hashlib.sha256(data).hexdigest()}")

    def write_offer(self) -> None:
        text = Bundle(NAME, str(self.root), self.items).to_json()
        self.system.write(f"{offers.FOLDER}/{quote(NAME, safe='')}", text)

    def source(self, receiver: str = "spark-2", key: str = KEY) -> receive.SourceConnection:
        port = self.server.server_address[1]
        return receive.SourceConnection("spark-1", ["127.0.0.1"], LOOPBACK, port, key, receiver)


@pytest.fixture
def loopback_source(tmp_path: Path) -> Iterator[LoopbackSource]:
    loopback = LoopbackSource(tmp_path)
    loopback.add_file("large", 5 * SEGMENT + 17)
    loopback.add_file("small", 3)
    loopback.add_file("none", 0)
    loopback.write_offer()
    yield loopback
    loopback.server.shutdown()
    loopback.server.server_close()


def build_receiver(
    loopback_source: LoopbackSource, folder: Path, receiver_name: str = "spark-2", present: str = ""
) -> Receiver:
    source = loopback_source.source(receiver_name)
    return Receiver(source, fetch_offer(source, NAME), folder, lambda path: path == present)


def is_complete(loopback_source: LoopbackSource, folder: Path) -> bool:
    names = os.listdir(folder / "blobs")
    return sorted(names) == ["large", "none", "small"] and all(
        (folder / "blobs" / name).read_bytes()
        == (loopback_source.root / "blobs" / name).read_bytes()
        for name in names
    )


def test_all_of_it_comes_and_nothing_else_stays(
    loopback_source: LoopbackSource, tmp_path: Path
) -> None:
    build_receiver(loopback_source, tmp_path / "b").run()
    assert is_complete(loopback_source, tmp_path / "b")
    assert os.listdir(tmp_path / "b") == ["blobs"]


def test_three_at_once_make_a_chain_and_the_source_sends_little_more_than_once(
    loopback_source: LoopbackSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    send = TransferServer.mark_sent

    def count_send(server: TransferServer) -> None:
        sent.extend([1] if server is loopback_source.server else [])
        send(server)

    monkeypatch.setattr(TransferServer, "mark_sent", count_send)
    folders = [tmp_path / name for name in "bcd"]
    receivers = [
        build_receiver(loopback_source, folder, f"spark-{number}")
        for number, folder in enumerate(folders, 2)
    ]
    threads = [threading.Thread(target=transfer.run) for transfer in receivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(is_complete(loopback_source, folder) for folder in folders)
    # Alone it is asked for seven segments of three files; thrice that would be a star.
    assert 0 < len(sent) < 3 * 7


def test_what_is_here_is_not_sent_again(loopback_source: LoopbackSource, tmp_path: Path) -> None:
    first = build_receiver(loopback_source, tmp_path / "b")
    first.run()
    (tmp_path / "b" / "blobs" / "small").unlink()
    second = build_receiver(loopback_source, tmp_path / "b", present="blobs/large")
    assert second.count_missing_bytes() == 3
    second.run()
    assert is_complete(loopback_source, tmp_path / "b")


def test_a_transfer_that_was_killed_goes_on_where_it_was(
    loopback_source: LoopbackSource, tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    interrupted = build_receiver(loopback_source, folder)
    draft = interrupted.incoming.path("blobs/large")
    draft.parent.mkdir(parents=True)
    content = (loopback_source.root / "blobs" / "large").read_bytes()
    draft.write_bytes(content[:SEGMENT] + bytes(len(content) - SEGMENT))
    interrupted.incoming.add("blobs/large", 0, SEGMENT)
    interrupted.incoming.save_progress()

    resumed = build_receiver(loopback_source, folder)
    assert resumed.count_missing_bytes() == len(content) - SEGMENT + 3
    resumed.run()
    assert is_complete(loopback_source, folder)


def test_a_part_that_lies_there_damaged_is_fetched_again(
    loopback_source: LoopbackSource, tmp_path: Path
) -> None:
    folder = tmp_path / "b"
    interrupted = build_receiver(loopback_source, folder)
    draft = interrupted.incoming.path("blobs/large")
    draft.parent.mkdir(parents=True)
    draft.write_bytes(bytes(loopback_source.items["blobs/large"].size))
    interrupted.incoming.add("blobs/large", 0, SEGMENT)
    interrupted.incoming.save_progress()
    build_receiver(loopback_source, folder).run()
    assert is_complete(loopback_source, folder)


def test_a_source_that_sends_wrong_bytes_twice_is_refused(
    loopback_source: LoopbackSource, tmp_path: Path
) -> None:
    (loopback_source.root / "blobs" / "small").write_bytes(b"bad")
    with pytest.raises(StepError, match=r"blobs/small .* arrived from spark-1 twice with wrong"):
        build_receiver(loopback_source, tmp_path / "b").run()


def test_a_giver_that_does_not_answer_is_left_for_the_source(
    loopback_source: LoopbackSource, tmp_path: Path
) -> None:
    """It joined and died: the next one is sent to it and finds nobody there."""
    dead_receiver = TransferRequest(NAME, "spark-9", tuple(LOOPBACK), port=1)
    loopback_source.source("spark-9").post("/join", dead_receiver)
    build_receiver(loopback_source, tmp_path / "b").run()
    assert is_complete(loopback_source, tmp_path / "b")


def test_one_without_the_key_gets_nothing(loopback_source: LoopbackSource) -> None:
    with pytest.raises(StepError, match="its transfer key is of another stack"):
        fetch_offer(loopback_source.source(key="another key"), NAME)


def test_an_answer_of_one_without_the_key_is_not_taken(
    loopback_source: LoopbackSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.transfer.signing.sign_answer", lambda *arguments: os.urandom(8).hex())
    with pytest.raises(StepError, match="answers without this stack's transfer key"):
        fetch_offer(loopback_source.source(), NAME)


def test_what_is_not_offered_is_said(loopback_source: LoopbackSource) -> None:
    with pytest.raises(
        StepError, match=r"model:other cannot be fetched: .* does not offer this at the moment"
    ):
        fetch_offer(loopback_source.source(), "model:other")


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "a/../../b", ""])
def test_a_place_outside_the_folder_is_refused(path: str) -> None:
    fields = json.loads(Bundle(NAME, "/x", {path: Item(1, "sha256:0")}).to_json())
    with pytest.raises(StepError, match="leads out of its folder"):
        bundle.read_bundle(fields)


def test_segments_cover_a_file_exactly() -> None:
    for size in (0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 7 * SEGMENT):
        count = holding.count_segments(size)
        assert sum(holding.get_segment_size(size, index) for index in range(count)) == size


@pytest.mark.parametrize("document", [{}, {"name": 7}, []])
def test_a_request_of_another_form_is_refused_and_the_server_goes_on(
    loopback_source: LoopbackSource, document: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.transfer.caller.to_json", lambda request: document)
    with pytest.raises(StepError, match="status 400"):
        fetch_offer(loopback_source.source(), NAME)
    monkeypatch.undo()
    assert fetch_offer(loopback_source.source(), NAME).name == NAME
