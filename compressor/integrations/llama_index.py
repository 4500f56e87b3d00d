"""A LlamaIndex node postprocessor, for query engines and retrievers.

>>> engine = index.as_query_engine(
...     node_postprocessors=[MoosNodePostprocessor(settings=CompressionSettings(ratio=4))]
... )
"""

from __future__ import annotations

from pydantic import Field, InstanceOf

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.integrations.retrieved import SETTINGS, Shortened, shorten
from moosproxy.compressor.settings import CompressionSettings

try:
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
except ImportError as fault:
    raise ImportError(f"{fault}; install it with: pip install 'moosproxy[llama-index]'") from fault


class MoosNodePostprocessor(BaseNodePostprocessor):
    """Shortens nodes with the query as the question; ids, scores, relationships and metadata stay.

    compressor: the bundled checkpoint by default; share one, and close it when done.
    settings: the ratio holds for all nodes of a query together; `question` is replaced by the query.

    Each node gains moos_ratio, moos_tokens_before and moos_tokens_after in its metadata, hidden from models. Nodes
    of which nothing is kept are left out; nodes without text pass. Thread-safe; `apostprocess_nodes` runs in a
    thread, the event loop goes on.
    """

    compressor: InstanceOf[Compressor] = Field(default_factory=Compressor.load, exclude=True)
    settings: InstanceOf[CompressionSettings] = SETTINGS

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex stores it."""
        return "MoosNodePostprocessor"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        texts = {at: text for at, found in enumerate(nodes) if (text := found.node.get_content(MetadataMode.NONE))}
        query = query_bundle.query_str if query_bundle else ""
        short = dict(zip(texts, shorten(self.compressor, [*texts.values()], query, self.settings), strict=True))
        return [
            _with(found, short[at]) if at in short else found
            for at, found in enumerate(nodes)
            if at not in short or short[at].text
        ]


def _with(found: NodeWithScore, new: Shortened) -> NodeWithScore:
    """A copy with the shorter text. Metadata is part of what models read, so the new keys are hidden from them."""
    old = found.node
    node = old.model_copy(
        update={
            "metadata": old.metadata | new.metadata,
            "excluded_llm_metadata_keys": [*old.excluded_llm_metadata_keys, *new.metadata],
            "excluded_embed_metadata_keys": [*old.excluded_embed_metadata_keys, *new.metadata],
        }
    )
    node.set_content(new.text)
    return NodeWithScore(node=node, score=found.score)
