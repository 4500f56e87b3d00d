"""A LangChain document compressor, for ContextualCompressionRetriever and whatever else takes one.

>>> retriever = ContextualCompressionRetriever(
...     base_compressor=MoosDocumentCompressor(settings=CompressionSettings(ratio=4)), base_retriever=retriever
... )
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict, Field, InstanceOf

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.integrations.retrieved import SETTINGS, shorten
from moosproxy.compressor.settings import CompressionSettings

try:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import Document
    from langchain_core.documents.compressor import BaseDocumentCompressor
except ImportError as fault:
    raise ImportError(f"{fault}; install it with: pip install 'moosproxy[langchain]'") from fault


class MoosDocumentCompressor(BaseDocumentCompressor):
    """Shortens documents with the query as the question; ids and metadata stay.

    compressor: the bundled checkpoint by default; share one, and close it when done.
    settings: the ratio holds for all documents of a query together; `question` is replaced by the query.

    Each document gains moos_ratio, moos_tokens_before and moos_tokens_after in its metadata. Documents of which
    nothing is kept are left out. Thread-safe; `acompress_documents` runs in a thread, the event loop goes on.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    compressor: InstanceOf[Compressor] = Field(default_factory=Compressor.load)
    settings: InstanceOf[CompressionSettings] = SETTINGS

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The documents that are left, in their order, as copies."""
        short = shorten(self.compressor, [doc.page_content for doc in documents], query, self.settings)
        return [
            doc.model_copy(update={"page_content": new.text, "metadata": doc.metadata | new.metadata})
            for doc, new in zip(documents, short, strict=True)
            if new.text
        ]
