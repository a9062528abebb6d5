"""Pipelines: the steps that process every item after a callback has yielded it and
before it is committed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from crawler.errors import DropItem
from crawler.pipelines.base import Immediate, Pipeline, Process, Run
from crawler.pipelines.builtin import Dedupe, Map, Required, Validate
from crawler.pipelines.chain import Chain, OpenChain
from crawler.pipelines.item_type import ItemField, ItemType
from crawler.pipelines.items import ItemError, decode, encode, fields_of

if TYPE_CHECKING:
    from crawler.pipelines.files.downloads import File
    from crawler.pipelines.files.images import Image, Images, Thumbnail
    from crawler.pipelines.files.pipeline import Files

#: By the name of a class: its module, which is imported when the class is first used,
#: because few crawls fetch files.
_FILES = {
    "File": "downloads",
    "Files": "pipeline",
    "Image": "images",
    "Images": "images",
    "Thumbnail": "images",
}

__all__ = [
    "Chain",
    "Dedupe",
    "DropItem",
    "File",
    "Files",
    "Image",
    "Images",
    "Immediate",
    "ItemError",
    "ItemField",
    "ItemType",
    "Map",
    "OpenChain",
    "Pipeline",
    "Process",
    "Required",
    "Run",
    "Thumbnail",
    "Validate",
    "decode",
    "encode",
    "fields_of",
]


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"crawler.pipelines.files.{_FILES[name]}")
    value = globals()[name] = getattr(module, name)
    return value
