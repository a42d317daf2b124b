"""The file of a backup: a zip of parts, each with its SHA-256 in a manifest that is written last."""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, cast

from django.core.serializers.json import DjangoJSONEncoder

FORMAT = 1
KIND = "loved-backup"
MANIFEST = "manifest.json"
CHUNK = 1024 * 1024
NOT_OURS = "is not a backup of Loved, or not all of it: copy it again from where it was made"


class BadBackup(Exception):
    """A backup cannot be made, or a file cannot be restored; the sentence is for the operator."""


class Writer:
    """Write the parts of a backup, one after another, and remember what they were."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.parts: dict[str, dict[str, Any]] = {}

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        """Add a part as it comes, never whole in memory."""
        digest, size = hashlib.sha256(), 0
        with self.archive.open(name, "w", force_zip64=True) as output:
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                output.write(chunk)
        self.parts[name] = {"sha256": digest.hexdigest(), "bytes": size}

    def add_json(self, name: str, value: Any) -> None:
        self.add(name, [json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False).encode()])

    def add_file(self, name: str, path: Path) -> None:
        with path.open("rb") as file:
            self.add(name, iter(lambda: file.read(CHUNK), b""))


@contextmanager
def writing(path: Path, manifest: dict[str, Any]) -> Iterator[Writer]:
    """Write a backup beside its place and move it there when it is whole; its owner alone may read it.

    `manifest` is written last, so the block may still fill it.
    """
    if path.exists():
        raise BadBackup(f"{path} exists already: give the backup another name.")
    if not path.parent.is_dir():
        raise BadBackup(f"There is no folder {path.parent}.")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with open(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                writer = Writer(archive)
                yield writer
                whole = {"kind": KIND, "format": FORMAT, **manifest, "parts": writer.parts}
                archive.writestr(MANIFEST, json.dumps(whole, indent=1, cls=DjangoJSONEncoder, ensure_ascii=False))
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError as error:
        raise BadBackup(f"The backup could not be written to {path}: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


class Reader:
    """Read a backup whose every part has been checked against the manifest."""

    def __init__(self, archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
        self.archive = archive
        self.manifest = manifest

    def chunks(self, name: str) -> Iterator[bytes]:
        with self.archive.open(name) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def json(self, name: str) -> Any:
        return json.loads(self.archive.read(name))

    def below(self, folder: str) -> Iterator[tuple[str, PurePosixPath]]:
        """Yield (part, path below the folder); a path that would lead out of it is refused."""
        for name in self.manifest["parts"]:
            if name.startswith(folder):
                path = PurePosixPath(name.removeprefix(folder))
                if path.is_absolute() or ".." in path.parts or not path.parts:
                    raise BadBackup(f"The backup holds a file with a forbidden name: {name}.")
                yield name, path


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Open a backup after checking all of it: kind, format, and the SHA-256 of every part."""
    if not path.is_file():
        raise BadBackup(f"There is no file {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive, path)
            for name, part in manifest["parts"].items():
                if _sha256(archive, name) != part["sha256"]:
                    raise BadBackup(f"{path} is damaged: its part {name} is not what was written. Use another copy.")
            yield Reader(archive, manifest)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise BadBackup(f"{path} {NOT_OURS}.") from error


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(archive.read(MANIFEST))
    except (KeyError, ValueError) as error:
        raise BadBackup(f"{path} {NOT_OURS}.") from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise BadBackup(f"{path} {NOT_OURS}.")
    if manifest.get("format") != FORMAT:
        raise BadBackup(
            f"{path} has format {manifest.get('format')}; this version of Loved reads format {FORMAT}. "
            f"It was made by Loved {manifest.get('product', '?')}: restore it with that version."
        )
    missing = set(manifest["parts"]) - set(archive.namelist())
    if missing:
        raise BadBackup(f"{path} is damaged: {len(missing)} of its parts are missing, {min(missing)} among them.")
    return cast(dict[str, Any], manifest)


def _sha256(archive: zipfile.ZipFile, name: str) -> str:
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
