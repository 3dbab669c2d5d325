"""Requests that are to be refused: more than two hundred, each with its name."""

from __future__ import annotations

import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

from PIL import Image

from tests.serving.conftest import picture
from tests.serving.process import multipart, post

Case = tuple[str, bytes]
JSON = "application/json"
KINDS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")


def cases() -> Iterator[Case]:
    """All of them."""
    yield from cut_files()
    yield from bombs()
    yield from wrong_types()
    yield from broken_multipart()
    yield from odd_json()
    yield from odd_http()


def cut_files() -> Iterator[Case]:
    """Pictures that end early, alone and as uploads."""
    for kind in KINDS:
        content = picture(side=64, kind=kind, mode="L")
        for tenths in range(10):
            cut = content[: len(content) * tenths // 12]
            yield f"{kind} cut after {tenths}/12", post(cut)
        yield f"{kind} cut as upload", multipart((f"cut.{kind}", content[: len(content) // 2]))


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + check


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colours: int = 0) -> bytes:
    """A PNG of these sizes, whatever its chunks hold."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def bombs() -> Iterator[Case]:
    """Small files that unpack to large pictures, or claim to."""
    for width, height in ((20000, 20000), (60000, 60000), (2**31 - 1, 2**31 - 1), (5001, 5001)):
        data = zlib.compress(bytes(2**22), 9)
        for depth, colours in ((8, 0), (8, 6), (16, 2), (1, 0)):
            content = png(width, height, chunk(b"IDAT", data), depth=depth, colours=colours)
            yield f"PNG bomb {width} {depth} {colours}", post(content)
    for kind in ("PNG", "GIF", "TIFF", "BMP"):
        whole = io.BytesIO()
        more = {"compression": "tiff_adobe_deflate"} if kind == "TIFF" else {}
        mode = "1" if kind == "BMP" else "L"
        Image.new(mode, (9000, 9000)).save(whole, kind, **more)
        yield f"whole {kind} bomb", post(whole.getvalue())
    yield "GIF of 65535 x 65535", post(b"GIF89a\xff\xff\xff\xff\x80\x00\x00" + bytes(60))
    riff = b"VP8X" + struct.pack("<I", 10) + b"\x10\0\0\0\xff\xff\xff\xff\xff\xff"
    yield "WebP of 16777216 squared", post(b"RIFF" + struct.pack("<I", 22) + b"WEBP" + riff)
    for side in (2**31 - 1, -(2**31), 100_000):
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        yield f"BMP of {side}", post(b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header)
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9))
    yield "PNG with much text", post(png(8, 8, text, text, text))
    profile = chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**26), 9))
    yield "PNG with a large profile", post(png(8, 8, profile))
    yield "PNG of many chunks", post(png(8, 8, chunk(b"tEXt", b"a\0b") * 100_000))
    jpeg = picture(side=64, kind="JPEG")
    at = jpeg.index(b"\xff\xc0") + 5
    at_scan, end = jpeg.index(b"\xff\xda"), len(jpeg) - 2
    yield "JPEG of 10,000 scans", post(jpeg[:end] + jpeg[at_scan:end] * 10_000 + jpeg[end:])
    yield "JPEG of 65500 squared", post(jpeg[:at] + b"\xff\xdc\xff\xdc" + jpeg[at + 4 :])


def wrong_types() -> Iterator[Case]:
    """Files that are no pictures."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../evil.png", bytes(2**24))
    files = {
        "x.pkl": pickle.dumps({"a": print}),
        "x.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "xxe.svg": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><svg>&b;</svg>',
        "x.html": b"<html><script>alert(1)</script></html>",
        "x.zip": archive.getvalue(),
        "x.gz": zlib.compress(bytes(2**24)),
        "x.pdf": b"%PDF-1.7\n1 0 obj\n<< >>\nendobj",
        "x.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run",
        "x.elf": b"\x7fELF" + bytes(100),
        "x.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "x.ico": b"\0\0\1\0\1\0\x10\x10" + bytes(40),
        "x.psd": b"8BPS\0\1" + bytes(60),
        "x.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
        "x.fits": b"SIMPLE  =                    T" + bytes(60),
        "x.xbm": b"#define a_width 8\n#define a_height 8\n",
        "x.ppm": b"P6 60000 60000 255\n",
        "x.yaml": b"!!python/object/apply:os.system [id]",
        "x.txt": b"/etc/passwd",
        "x.nul": bytes(2**20),
        "x.empty": b"",
    }
    noise = random.Random(0)
    files |= {f"{size}.noise": noise.randbytes(size) for size in (1, 2, 7, 100, 4096, 2**20)}
    for name, content in files.items():
        yield f"{name} alone", post(content)
        yield f"{name} as upload", multipart((name, content))


def broken_multipart() -> Iterator[Case]:
    """Bodies that are cut, misnamed or too many."""
    whole = multipart(("a.png", picture()))
    body = whole.partition(b"\r\n\r\n")[2]
    form = "multipart/form-data; boundary=x-boundary-x"
    for size in (0, 1, 10, 20, 60, 90, 200, len(body) - 30, len(body) - 16, len(body) - 5):
        yield f"multipart cut after {size}", post(body[:size], form)
    for named in ("", "; boundary=", "; boundary=other", f"; boundary={'b' * 200}", '; boundary="'):
        yield f"boundary {named[:30]!r}", post(body, f"multipart/form-data{named}")
    yield "multipart/mixed", post(body, "multipart/mixed; boundary=x-boundary-x")
    yield "5,000 parts", multipart(*[("a.png", b"")] * 5000)
    yield "200,000 empty parts", post(b"--x-boundary-x\r\n\r\n\r\n" * 200_000, form)
    yield "a part without headers", post(b"--x-boundary-x\r\n\r\nx\r\n--x-boundary-x--\r\n", form)
    field = b'--x-boundary-x\r\nContent-Disposition: form-data; name="path"\r\n\r\n/etc/passwd\r\n'
    yield "a field", post(field + b"--x-boundary-x--\r\n", form)
    for count in (50, 100_000):
        many = b"--x-boundary-x\r\n" + b"a: b\r\n" * count + b"\r\nx\r\n--x-boundary-x--\r\n"
        yield f"{count} headers of a part", post(many, form)
    long = b"--x-boundary-x\r\nContent-Disposition: " + b"a" * 2**20 + b"\r\n\r\nx\r\n"
    yield "a long header of a part", post(long, form)
    yield "only dashes", post(b"-" * 2**20, form)
    yield "only line breaks", post(b"\r\n" * 2**19, form)


def odd_json() -> Iterator[Case]:
    """JSON that is deep, huge, or none."""
    texts: dict[str, bytes] = {
        "deep lists": b"[" * 100_000,
        "deep lists, closed": b"[" * 100_000 + b"]" * 100_000,
        "lists of depth 500": b"[" * 500 + b"]" * 500,
        "lists of depth 70": b"[" * 70 + b"1" + b"]" * 70,
        "deep objects": b'{"a":' * 100_000,
        "cut": b'{"a": [1, 2',
        "empty": b"",
        "no UTF-8": b'"\xff\xfe"',
        "lone surrogate": b'"\\ud800"',
        "a path": b'"/etc/passwd"',
        "paths": b'["/etc/passwd", "../../x"]',
        "null": b"null",
        "true": b"true",
        "a number": b"1",
        "no list": b"[]",
        "no row": b"{}",
        "a row": b'{"a": 1}',
        "rows": b'[{"a": 1}, 2]' * 2,
        "a file of arrays": b'{"__class__": "os.system", "args": ["id"]}',
        "Python": b"__import__('os').system('id')",
        "ragged": json.dumps([[1, 2], [3]]).encode(),
        "another shape": json.dumps([[[1.0] * 9] * 9]).encode() + b"]",
        "texts for pixels": json.dumps([["a"] * 8] * 8).encode(),
        "nulls for pixels": json.dumps([[None] * 8] * 8).encode(),
        "many numbers": b"[" + b"1," * 3_000_000 + b"1]",
        "many lists": b"[" + b"[]," * 500_000 + b"[]]",
        "many objects": b"[" + b"{}," * 500_000 + b"{}]",
        "more than is read": b"[" + b"1.5," * 2_500_000 + b"1]",
        "a long text": b'"' + b"a" * 2**22 + b'"',
    }
    numbers = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "9" * 5000, "1e400", "-1", "256")
    for number in numbers:
        row = f"[{', '.join([number] * 8)}]"
        texts[f"pixels of {number[:9]} x {len(number)}"] = f"[{', '.join([row] * 8)}]".encode()
    for name, text in texts.items():
        yield f"JSON: {name}", post(text, JSON)


def odd_http() -> Iterator[Case]:
    """Requests that are wrong before their bodies are."""
    start = "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    rest = {
        "2 GB announced": "Content-Length: 2147483648\r\n\r\n",
        "2 GB announced, asked first": "Content-Length: 2147483648\r\nExpect: 100-continue\r\n\r\n",
        "10^30 announced": f"Content-Length: 1{'0' * 30}\r\n\r\n",
        "5,000 digits announced": f"Content-Length: {'9' * 5000}\r\n\r\n",
        "a negative length": "Content-Length: -5\r\n\r\n",
        "no number": "Content-Length: 0x10\r\n\r\n",
        "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        "a wrong chunk": "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "a negative chunk": "Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n",
        "an unknown coding": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "10,000 headers": "a: b\r\n" * 10_000 + "\r\n",
        "a long header": f"a: {'b' * 2**20}\r\n\r\n",
        "a folded header": "a: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        "a NUL in a header": "a: \0\r\n\r\n",
        "another host": "Host: evil.example\r\nContent-Length: 0\r\n\r\n",
        "an upgrade": "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
    }
    for name, more in rest.items():
        yield name, (start + more).encode()
    lines = {
        "an evil host": "GET /models HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "no host": "GET /models HTTP/1.1\r\nConnection: close\r\n\r\n",
        "an old protocol": "GET /models HTTP/0.9\r\n\r\n",
        "another protocol": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 200,
        "a long path": f"GET /{'a' * 2**20} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "no request": "\r\n\r\n\0\0\0\0",
    }
    for path in (
        "/static/../../../../etc/passwd",
        "/static/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/..%5c..%5cx",
        "/static/index.html%00.png",
        "/etc/passwd",
        "//etc/passwd",
        "/predict",
        "/%ff%fe",
        "/predict/../metrics/x",
    ):
        lines[path] = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    for name, text in lines.items():
        yield name, text.encode("latin-1")
    for query in ("model=../../etc", "model=%00", "top_k=0", "top_k=-1", "top_k=1e9", "top_k=٣"):
        path = f"/predict?{query}".encode().decode("latin-1")
        yield query, post(picture(), path=path)
