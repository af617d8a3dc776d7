"""What is durable in a spool is read back as it came; what was torn off was never promised."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickmesh_cleaner.spool import Spool, SpoolDamagedError, SpoolSpace

if TYPE_CHECKING:
    from pathlib import Path


def fill(spool: Spool, payloads: list[bytes]) -> list[int]:
    ends = [spool.append(payload, received_at_ns=7, origin=b"{}") for payload in payloads]
    spool.sync()
    return ends


def payloads(spool: Spool, start: int = 0, end: int | None = None) -> list[bytes]:
    return [record.payload for record in spool.read(start, end)]


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def test_entries_come_back_with_all_that_was_noted(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    end = spool.append(b"one", received_at_ns=12, origin=b'{"answer": 1}')
    spool.sync()
    (record,) = spool.read(0)
    assert (record.offset, record.end) == (0, end)
    assert (record.received_at_ns, record.origin, record.payload) == (12, b'{"answer": 1}', b"one")
    assert spool.last() == record


def test_readers_see_only_what_is_on_stable_storage(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    fill(spool, [b"kept"])
    spool.append(b"in memory", received_at_ns=1)
    assert payloads(spool) == [b"kept"]
    assert spool.durable < spool.end
    assert payloads(Spool(tmp_path)) == [b"kept"]
    spool.sync()
    assert payloads(spool) == payloads(Spool(tmp_path)) == [b"kept", b"in memory"]


def test_any_range_between_entries_is_read_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=100)
    sent = [bytes([65 + number]) * number for number in range(20)]
    ends = fill(spool, sent[:7])
    ends += fill(spool, sent[7:])
    places = [0, *ends]
    assert len(segments(tmp_path)) > 1
    for first in range(len(places)):
        for last in range(first, len(places)):
            assert payloads(spool, places[first], places[last]) == sent[first:last]


@pytest.mark.parametrize("lost", range(1, 60))
def test_a_torn_tail_is_cut_and_the_log_goes_on_behind_what_is_whole(
    tmp_path: Path, lost: int
) -> None:
    spool = Spool(tmp_path)
    fill(spool, [b"first"])
    whole = spool.durable
    fill(spool, [b"a second, longer one"])
    spool.close()
    (path,) = segments(tmp_path)
    os.truncate(path, path.stat().st_size - min(lost, spool.durable - whole))
    again = Spool(tmp_path)
    assert again.durable == whole
    fill(again, [b"third"])
    assert payloads(again) == payloads(Spool(tmp_path)) == [b"first", b"third"]


def test_a_tail_of_rubbish_is_cut(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    fill(spool, [b"first"])
    (path,) = segments(tmp_path)
    with path.open("ab") as file:
        file.write(b"TKS1" + bytes(200))
    again = Spool(tmp_path)
    assert again.durable == spool.durable
    assert path.stat().st_size == again.durable


def test_damage_of_what_was_synchronised_is_told_and_never_taken_for_a_torn_tail(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path)
    fill(spool, [b"first"])
    fill(spool, [b"second"])
    fill(spool, [b"third"])
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"first")] ^= 1
    path.write_bytes(content)
    with pytest.raises(SpoolDamagedError) as damaged:
        Spool(tmp_path)
    assert damaged.value.offset == 0
    with pytest.raises(SpoolDamagedError):
        payloads(spool)


def test_a_torn_group_is_no_damage(tmp_path: Path) -> None:
    """Blocks of one write may reach the disk in any order: a whole entry may follow a torn one."""
    spool = Spool(tmp_path)
    fill(spool, [b"first"])
    whole = spool.durable
    fill(spool, [b"second", b"third"])
    (path,) = segments(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(b"second")] ^= 1
    path.write_bytes(content)
    assert Spool(tmp_path).durable == whole


def test_segments_are_dropped_once_committed_and_offsets_are_never_used_twice(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, segment_bytes=64)
    ends = []
    for number in range(10):
        ends += fill(spool, [b"x" * 60 + bytes([48 + number])])
    assert len(segments(tmp_path)) == 10
    spool.drop_before(ends[6])
    assert len(segments(tmp_path)) == 3
    assert spool.size_bytes == sum(path.stat().st_size for path in segments(tmp_path))
    assert spool.begin == ends[6]
    with pytest.raises(SpoolDamagedError):
        payloads(spool, ends[3])
    spool.drop_before(spool.durable)
    last = spool.last()
    assert last is not None
    assert last.payload.endswith(b"9")
    again = Spool(tmp_path, segment_bytes=64)
    assert again.last() == last
    assert fill(again, [b"next"])[0] > ends[-1]


def _is_spent(spool: Spool) -> bool:
    return spool.spent


def test_a_spool_is_spent_once_all_that_is_durable_is_released(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert _is_spent(spool)
    first, second = fill(spool, [b"first", b"second"])
    spool.release(first)
    assert not _is_spent(spool)
    assert payloads(spool) == [b"first", b"second"]
    spool.drop_before(second)
    assert _is_spent(spool)
    fill(spool, [b"third"])
    assert not _is_spent(spool)


def test_a_segment_that_was_begun_and_never_written_leaves_the_one_before_it(
    tmp_path: Path,
) -> None:
    spool = Spool(tmp_path, segment_bytes=8)
    fill(spool, [b"first"])
    durable = spool.durable
    (tmp_path / f"{durable:020d}.spool").write_bytes(b"TKS")
    again = Spool(tmp_path, segment_bytes=8)
    assert (again.durable, payloads(again)) == (durable, [b"first"])
    fill(again, [b"second"])
    assert payloads(Spool(tmp_path)) == [b"first", b"second"]


def test_what_could_not_be_written_is_written_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    fill(spool, [b"first"])
    real = os.fdatasync

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdatasync", full)
    spool.append(b"second", received_at_ns=1)
    with pytest.raises(OSError, match="No space"):
        spool.sync()
    assert payloads(spool) == [b"first"]
    monkeypatch.setattr(os, "fdatasync", real)
    spool.append(b"third", received_at_ns=1)
    spool.sync()
    assert payloads(spool) == payloads(Spool(tmp_path)) == [b"first", b"second", b"third"]


def test_a_reader_is_woken_when_something_becomes_durable(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert not spool.wait_beyond(0, timeout_seconds=0.001)
    spool.append(b"x", received_at_ns=1)
    thread = threading.Thread(target=spool.sync)
    thread.start()
    assert spool.wait_beyond(0, timeout_seconds=30)
    thread.join()


@settings(max_examples=40, deadline=None)
@given(groups=st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=5), max_size=8))
def test_whatever_the_groups_the_log_holds_them_in_order(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[bytes]]
) -> None:
    directory = tmp_path_factory.mktemp("spool")
    spool = Spool(directory, segment_bytes=150)
    for group in groups:
        fill(spool, group)
    sent = [payload for group in groups for payload in group]
    assert payloads(spool) == payloads(Spool(directory)) == sent


def test_all_spools_and_uploads_share_one_bound(tmp_path: Path) -> None:
    space = SpoolSpace(tmp_path, max_bytes=300, taken_elsewhere=lambda: 100)
    fill(space.open("a"), [b"x" * 80])
    space.close()
    fill(space.open("b"), [b"y" * 10])
    held = space.size_bytes
    assert held == sum(path.stat().st_size for path in tmp_path.glob("*/*.spool"))
    assert space.has_room(200 - held)
    assert not space.has_room(201 - held)
    space.drop("a")
    assert not (tmp_path / "a").exists()
    assert space.has_room(201 - held)
    assert payloads(space.open("b")) == [b"y" * 10]
