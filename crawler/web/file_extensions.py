"""Guesses the media type behind a link from the extension of its URL, to skip links
that lead to files. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable

_OPEN = "application/vnd.oasis.opendocument."
_OFFICE = "application/vnd.openxmlformats-officedocument."
#: Media types, by extension, of files that are of no use for a crawl of pages. Feeds,
#: data, and extensions that also appear in names of pages ("Node.js") are not listed.
TYPES = {
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apk": "application/vnd.android.package-archive",
    "avi": "video/x-msvideo",
    "avif": "image/avif",
    "bin": "application/octet-stream",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "css": "text/css",
    "deb": "application/vnd.debian.binary-package",
    "dmg": "application/x-apple-diskimage",
    "doc": "application/msword",
    "docm": "application/vnd.ms-word.document.macroenabled.12",
    "docx": f"{_OFFICE}wordprocessingml.document",
    "eot": "application/vnd.ms-fontobject",
    "eps": "application/postscript",
    "epub": "application/epub+zip",
    "exe": "application/vnd.microsoft.portable-executable",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "gif": "image/gif",
    "gz": "application/gzip",
    "heic": "image/heic",
    "ico": "image/vnd.microsoft.icon",
    "iso": "application/x-iso9660-image",
    "jar": "application/java-archive",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "m4v": "video/mp4",
    "mid": "audio/midi",
    "mkv": "video/x-matroska",
    "mobi": "application/x-mobipocket-ebook",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "msi": "application/x-msi",
    "odg": f"{_OPEN}graphics",
    "odp": f"{_OPEN}presentation",
    "ods": f"{_OPEN}spreadsheet",
    "odt": f"{_OPEN}text",
    "ogg": "application/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "pkg": "application/octet-stream",
    "png": "image/png",
    "pps": "application/vnd.ms-powerpoint",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": f"{_OFFICE}presentationml.presentation",
    "psd": "image/vnd.adobe.photoshop",
    "rar": "application/vnd.rar",
    "rpm": "application/x-rpm",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "swf": "application/x-shockwave-flash",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ttf": "font/ttf",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
    "wma": "audio/x-ms-wma",
    "wmv": "video/x-ms-wmv",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xls": "application/vnd.ms-excel",
    "xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    "xlsx": f"{_OFFICE}spreadsheetml.sheet",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
}
#: Extensions whose links are skipped by default.
SKIPPED = tuple(TYPES)


def extension_of(url: str) -> str:
    """Return the extension of a canonical URL's last path segment, in lower case.

    Returns "" if the segment has no extension. The query is ignored.
    """
    path = url.partition("?")[0]
    name = path[path.rindex("/") + 1 :].partition(";")[0]
    return name.rpartition(".")[2].lower() if "." in name else ""


def unwanted(extensions: Iterable[str], accepts: Collection[str]) -> frozenset[str]:
    """Return the extensions of links to skip, for a spider that accepts these media
    types.

    Extensions of types that the spider names explicitly are not skipped.
    """
    if "*/*" in accepts:
        return frozenset()
    given = {extension.lower().removeprefix(".") for extension in extensions}
    return frozenset(each for each in given if TYPES.get(each) not in accepts)
