import gc
import threading
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from cnnctl import extras
from cnnctl.data.preparation import prepare
from cnnctl.data.shards import copied, elsewhere
from cnnctl.data.shards.elsewhere import is_address
from cnnctl.data.sources.webdataset import WebDataset
from cnnctl.errors import ExitCode, FaultError
from cnnctl.experiment import load
from tests.shards import write_shards


class Server(ThreadingHTTPServer):
    """Serves a folder, with faults."""

    daemon_threads = True
    faults: dict[str, list[str]]
    """What goes wrong, by the name of a file: `500` or `cut`, one for each request to come."""
    requests: Counter[str]
    """How often each file was sent."""


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        name = self.path.rpartition("/")[2]
        fault = server.faults[name].pop(0) if server.faults.get(name) else ""
        server.requests[name] += 1
        if fault == "500":
            self.send_error(500)
        elif fault == "cut":
            content = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(elsewhere, "FIRST_PAUSE", 0.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Five shards at an address."""
    write_shards(tmp_path / "served" / "pets", [f"{at}.tar" for at in range(5)])
    served = Server(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "served")))
    served.faults, served.requests = {}, Counter()
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


def address(server: Server, pattern: str = "{0..4}.tar") -> str:
    return f"http://127.0.0.1:{server.server_port}/pets/{pattern}"


def surveyed(path: str, **options: Any) -> WebDataset:
    return WebDataset(path=path, test=0, **options).surveyed(Path(), seed=0)


def test_shards_from_elsewhere_are_those_of_a_folder(server: Server, tmp_path: Path) -> None:
    far = surveyed(address(server), rows="stream", workers=1).load("train", root=Path())
    near = surveyed(str(tmp_path / "served" / "pets")).load("train", root=Path())
    positions = torch.arange(50)
    assert torch.equal(far.rows.take(positions), near.rows.take(positions))
    assert far.targets.equal(near.targets)
    # they are copied once, and noted for the next run
    assert surveyed(address(server)).load("train", root=Path()).identity == near.identity
    assert set(server.requests.values()) == {1}


def test_faults_of_the_network_are_overcome(server: Server) -> None:
    server.faults = {"0.tar": ["500", "cut"], "3.tar": ["cut", "cut", "500"]}
    assert surveyed(address(server)).known_samples.train == 45
    assert server.requests["3.tar"] == 4


def test_shards_that_cannot_be_had_are_named(server: Server, tmp_path: Path) -> None:
    server.faults = {"1.tar": ["cut"] * 10}
    (tmp_path / "served" / "pets" / "2.tar").unlink()
    with pytest.raises(FaultError) as caught:
        surveyed(address(server))
    assert caught.value.exit_code == ExitCode.DATA
    text = str(caught.value)
    assert "pets/1.tar: cannot be reached, after 4 attempts" in text
    assert "pets/2.tar: no such shard" in text
    skipping = surveyed(address(server), on_error="skip", max_skipped=0.5)
    assert sorted(skipping.skipped) == ["1.tar", "2.tar"]


def test_a_shard_that_is_cut_short_where_it_comes_from_is_named(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "served" / "pets" / "4.tar"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(FaultError, match=r"pets/4\.tar: is cut short"):
        surveyed(address(server))


def test_nobody_at_an_address_is_a_fault() -> None:
    with pytest.raises(FaultError, match="cannot be reached"):
        surveyed("http://127.0.0.1:9/0.tar")


def test_shards_that_are_too_large_are_refused(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "MAX_SHARD", 1000)
    with pytest.raises(FaultError, match="more than 1,000"):
        surveyed(address(server))


def test_only_as_many_copies_are_kept_as_there_is_room_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (tmp_path / "served" / "pets" / "0.tar").stat().st_size
    monkeypatch.setattr(copied, "cache_disk", lambda: 2 * 3 * size)
    data = surveyed(address(server), workers=1)
    assert (data.rows, data.shuffle_buffer) == ("stream", 10_000)
    rows = prepare(data, seed=0).splits.train.samples.rows
    for start in range(0, 50, 10):
        assert len(rows.take(torch.arange(start, start + 10))) == 10
        folders = (tmp_path / "cache").glob(".shards-*")
        assert max(len(list(folder.glob("*.tar"))) for folder in folders) <= 3
    del rows
    gc.collect()
    assert not list((tmp_path / "cache").glob(".shards-*"))
    with pytest.raises(FaultError, match="needs all shards"):
        surveyed(address(server), rows="mapped")


def test_a_server_that_ends_under_a_run_is_a_fault(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copied, "cache_disk", lambda: 2)
    rows = surveyed(address(server)).load("train", root=Path()).rows
    server.faults = {f"{at}.tar": ["500"] * 10 for at in range(5)}
    with pytest.raises(FaultError, match=r"pets/0\.tar cannot be reached"):
        rows.take(torch.arange(3))


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    with pytest.raises(FaultError, match=r"cnnctl\[remote\]"):
        surveyed("s3://bucket/0.tar")


def test_an_address_is_not_a_path(server: Server, tmp_path: Path) -> None:
    assert not is_address("/a/b") and not is_address("file:///etc/passwd")
    (tmp_path / "far.yaml").write_text(
        f"data: {{name: webdataset, path: '{address(server)}', batch_size: 4}}\n"
        "model: {layers: [flatten, linear: classes]}\noptimizer: {name: sgd, lr: 0.1}\n"
        "train: {epochs: 1}\n"
    )
    data = load(tmp_path / "far.yaml").experiment.data
    assert isinstance(data, WebDataset)
    assert data.path == address(server)
