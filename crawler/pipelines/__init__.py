"""The steps that every item passes between its page and the commit."""

from crawler.errors import DropItem
from crawler.pipelines.base import Immediate, Pipeline, Process, Run
from crawler.pipelines.builtin import Dedupe, Map, Required, Validate
from crawler.pipelines.chain import Chain, OpenChain
from crawler.pipelines.files.downloads import File
from crawler.pipelines.files.images import Image, Images, Thumbnail
from crawler.pipelines.files.pipeline import Files
from crawler.pipelines.item_type import ItemField, ItemType
from crawler.pipelines.items import ItemError, decode, encode, fields_of

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
