"""The pipeline `Images`: like `Files`, but also with image sizes, smaller copies and
other formats.

Rule: the fetched file is never changed. The path of a copy contains the checksum of the
original file, and an existing copy is not made again.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import importlib
import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio import to_thread

from crawler.errors import ConfigError
from crawler.pipelines.base import Run
from crawler.pipelines.files.downloads import Downloads, File
from crawler.pipelines.files.image_values import (
    FORMATS,
    MOST_PIXELS,
    ImageCopy,
    ImageLimits,
    SeenImage,
    UnfitImage,
    WantedCopy,
)
from crawler.pipelines.files.paths import BY_CONTENT
from crawler.pipelines.files.pipeline import Files, FilesOfRun
from crawler.web.file_names import safe_name

#: Number of images that are decoded at the same time; each takes four bytes of memory
#: for each pixel.
_AT_ONCE = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Thumbnail:
    """A smaller copy of an image."""

    #: The path of the copy, as in `File.path`.
    path: str
    sha256: str
    #: The size of the copy in bytes.
    size: int
    #: The media type of the copy.
    type: str
    #: The width of the copy in pixels.
    width: int
    height: int


@dataclasses.dataclass(frozen=True, slots=True)
class Image(File):
    """An image whose URL an item named; the item's field contains this object.

    If the image was converted, `path`, `sha256`, `size` and `type` are those of the
    converted copy.
    """

    #: The width in pixels, after the rotation that the EXIF data ask for.
    width: int = 0
    height: int = 0
    #: The path of the fetched file, which a conversion does not change.
    original: str = ""
    #: Smaller copies, by their names in the argument `thumbs` of `Images`.
    thumbs: dict[str, Thumbnail] = dataclasses.field(default_factory=dict)


class Images(Files):
    """Fetches the image that a field names, and puts an `Image` into the item.

    `Images("cover_url", to="cover", thumbs={"small": (120, 120)}, format="webp")`. It
    takes the arguments of `Files`, and these:

    - `min_width`, `min_height`: an image that is narrower or lower gets the reason
      `too_small`.
    - `max_pixels`: an image with more pixels is not decoded; it gets the reason `bomb`.
    - `thumbs`: smaller copies to make; a dict from a name to the maximum width and
      height of the copy. A copy is never larger than the image.
    - `format`: "jpeg", "png" or "webp" for all copies; the image itself is converted,
      too.
    - `animated=False`: animated images get the reason `animated`. Otherwise their first
      frame is copied.

    Damaged files get the reason `truncated` or `decode_error`. A crawl raises
    ConfigError before its first request if Pillow (the extra `images`) is missing.
    """

    def __init__(
        self,
        field: str,
        to: str | None = None,
        *,
        folder: str | os.PathLike[str] = "files",
        path: str = BY_CONTENT,
        types: Collection[str] = ("image/*",),
        max_size: int | str = "32 MiB",
        required: bool = False,
        min_width: int = 0,
        min_height: int = 0,
        max_pixels: int = 50_000_000,
        animated: bool = True,
        thumbs: Mapping[str, tuple[int, int]] | None = None,
        format: str = "",
    ) -> None:
        super().__init__(
            field,
            to,
            folder=folder,
            path=path,
            types=types,
            max_size=max_size,
            required=required,
        )
        self.thumbs = dict(thumbs or {})
        self.format = format
        self.limits_of_images = ImageLimits(min_width, min_height, max_pixels, animated)
        self._check()

    def wanted(self) -> dict[str, WantedCopy]:
        """Return the copies to make of each image, by name; the name "" stands for the
        image itself in another format."""
        found = {
            name: WantedCopy(box, self.format) for name, box in self.thumbs.items()
        }
        return {"": WantedCopy(None, self.format), **found} if self.format else found

    def _check(self) -> None:
        for name, box in self.thumbs.items():
            if not isinstance(name, str) or not name or safe_name(name) != name:
                raise ConfigError(
                    f"Images(thumbs=...): the name {name!r} is not a valid folder "
                    "name; use letters and digits"
                )
            if not _is_box(box):
                raise ConfigError(
                    f"Images(thumbs=...): the size of {name!r} must be a width and a "
                    f"height in pixels, such as (120, 120), not {box!r}"
                )
        if self.format and self.format not in FORMATS:
            known = ", ".join(FORMATS)
            raise ConfigError(
                f"Images(format={self.format!r}): the format must be one of {known}"
            )
        if self.limits_of_images.max_pixels not in range(1, MOST_PIXELS + 1):
            raise ConfigError(
                f"Images(max_pixels={self.limits_of_images.max_pixels!r}): max_pixels "
                f"must be a whole number from 1 to {MOST_PIXELS:,}"
            )

    @asynccontextmanager
    async def open(self, run: Run) -> AsyncIterator[FilesOfRun]:
        """Open the state for the images of one run."""
        await to_thread.run_sync(self._load)
        async with super().open(run) as files:
            yield files

    def _load(self) -> None:
        try:
            pictures()
        except ImportError as exc:
            raise ConfigError(
                f"{self!r} needs Pillow, which is not installed; run: "
                "pip install 'exact-crawler[images]'"
            ) from exc

    def _of_run(self, downloads: Downloads, run: Run) -> FilesOfRun:
        return ImagesOfRun(self, downloads, run)


class ImagesOfRun(FilesOfRun):
    """Fetches the images of items in one run."""

    def __init__(self, images: Images, downloads: Downloads, run: Run) -> None:
        super().__init__(images, downloads, run)
        self._images = images
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)

    async def checked(self, files: list[File]) -> list[File]:
        """Return the fetched files as Images, with a `reason` for each that is not an
        image or is not accepted."""
        return [await self._image(file) for file in files]

    async def _image(self, file: File) -> Image:
        if file.reason:
            return Image(file.url, reason=file.reason, detail=file.detail)

        async def made() -> Image:
            path = await self._downloads.path_of(file.url)
            return await to_thread.run_sync(
                self._made, file, path, limiter=self._limiter
            )

        lock = self._downloads.making.setdefault(file.sha256, asyncio.Lock())
        async with lock:  # another page may be processing the same image
            return await self._downloads.patience.repeat(made)

    def _made(self, file: File, path: str) -> Image:
        """Return the fetched file as an Image, and make its copies. Called in a
        thread."""
        content = self._downloads.place.read(path)
        try:
            seen = pictures().look(content, self._images.limits_of_images)
            copies = self._copies(file, content, seen)
        except UnfitImage as exc:
            return Image(file.url, reason=str(exc.reason), detail=exc.detail)
        whole = copies.pop("", None) or file
        return Image(
            file.url,
            whole.path,
            whole.sha256,
            whole.size,
            whole.type,
            width=seen.width,
            height=seen.height,
            original=file.path,
            thumbs=copies,
        )

    def _copies(
        self, file: File, content: bytes, seen: SeenImage
    ) -> dict[str, Thumbnail]:
        """Return the wanted copies of an image by name; copies that do not exist yet
        are made."""
        wanted = self._images.wanted()
        paths = {
            name: _path(name, copy, copy.format or seen.own_format, file.sha256)
            for name, copy in wanted.items()
        }
        found = {name: self._existing(path) for name, path in paths.items()}
        missing = [name for name, copy in found.items() if copy is None]
        # even if no copies are wanted, decode the image to check that it is complete
        if missing or not wanted:
            limits = self._images.limits_of_images
            made = pictures().make_copies(
                content, limits, [wanted[name] for name in missing]
            )
            for name, copy in zip(missing, made, strict=True):
                self._downloads.put(copy.content, paths[name])
                found[name] = copy
        return {
            name: self._thumbnail(copy, paths[name], wanted[name], seen)
            for name, copy in found.items()
            if copy is not None
        }

    def _existing(self, path: str) -> ImageCopy | None:
        """Return the copy at this path if an earlier item or run has made it, else
        None."""
        place = self._downloads.place
        if place.size(path) is None:
            return None
        content = place.read(path)
        try:
            seen = pictures().look(content, ImageLimits(max_pixels=MOST_PIXELS))
        except UnfitImage:
            return None  # the copy is damaged, so the caller makes it again
        return ImageCopy(content, seen.width, seen.height)

    def _thumbnail(
        self, copy: ImageCopy, path: str, wanted: WantedCopy, seen: SeenImage
    ) -> Thumbnail:
        return Thumbnail(
            self._downloads.place.text(path),
            hashlib.sha256(copy.content).hexdigest(),
            len(copy.content),
            f"image/{wanted.format or seen.own_format}",
            copy.width,
            copy.height,
        )


def _is_box(value: object) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(type(side) is int and side > 0 for side in value)
    )


def _path(name: str, wanted: WantedCopy, format: str, sha256: str) -> str:
    """Return the path of a copy, which contains the copy's name and size or its format,
    and the checksum of the original file."""
    box = wanted.box
    folder = f"{name}-{box[0]}x{box[1]}" if box is not None else format
    return f"{folder}/{sha256[:2]}/{sha256}{FORMATS[format]}"


def pictures() -> Any:
    """Import and return the module that needs Pillow."""
    return importlib.import_module("crawler.pipelines.files.pictures")
