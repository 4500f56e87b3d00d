"""The LangChain compressor inside LangChain's own retriever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.integrations.langchain import MoosDocumentCompressor
from tests.compressor.integrations.conftest import ANSWER, QUERY, TEXTS, holding_up, import_without


@pytest.fixture
def documents() -> list[Document]:
    return [
        Document(page_content=text, metadata={"page": page, "source": "guide.pdf"}, id=f"p{page}")
        for page, text in enumerate(TEXTS)
    ]


@pytest.fixture
def shortener(compressor: Compressor) -> MoosDocumentCompressor:
    return MoosDocumentCompressor(compressor=compressor, settings=CompressionSettings(ratio=2))


@pytest.fixture
def retriever(shortener: MoosDocumentCompressor, documents: list[Document]) -> ContextualCompressionRetriever:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(documents)
    return ContextualCompressionRetriever(
        base_compressor=shortener, base_retriever=store.as_retriever(search_kwargs={"k": len(TEXTS)})
    )


def check(found: list[Document]) -> None:
    by_id = {document.id: document for document in found}

    assert len(found) == len(by_id) > 1
    assert ANSWER in by_id["p1"].page_content
    for document in found:
        page = document.metadata["page"]
        assert f"p{page}" == document.id
        assert "guide.pdf" == document.metadata["source"]
        assert len(document.page_content) <= len(TEXTS[page])
        assert document.metadata["moos_tokens_after"] <= document.metadata["moos_tokens_before"]
    assert 2 < max(document.metadata["moos_ratio"] for document in found)


def test_it_works_in_a_contextual_compression_retriever(retriever: ContextualCompressionRetriever) -> None:
    check(retriever.invoke(QUERY))


async def test_asynchronously_too_and_the_loop_goes_on(
    retriever: ContextualCompressionRetriever, shortener: MoosDocumentCompressor
) -> None:
    check(await retriever.ainvoke(QUERY))
    long = [Document(page_content=" ".join(TEXTS) * 20)]
    share, shortened = await holding_up(shortener.acompress_documents(long, QUERY))

    assert share < 0.5
    assert 1 == len(shortened)


async def test_many_at_once_get_what_each_gets_alone(
    shortener: MoosDocumentCompressor, documents: list[Document]
) -> None:
    queries = [QUERY, "Where was the wool sold?", "What must guests of the lighthouse bring?"] * 2

    together = await asyncio.gather(*(shortener.acompress_documents(documents, query) for query in queries))

    assert [shortener.compress_documents(documents, query) for query in queries] == together
    assert together[0] != together[1]


def test_the_documents_that_were_given_stay_as_they_are(
    shortener: MoosDocumentCompressor, documents: list[Document]
) -> None:
    before = [document.model_copy(deep=True) for document in documents]
    shortener.compress_documents(documents, QUERY)

    assert before == documents


def test_documents_of_which_nothing_is_kept_are_left_out(
    compressor: Compressor, documents: list[Document]
) -> None:
    shortener = MoosDocumentCompressor(compressor=compressor, settings=CompressionSettings(ratio=2))
    found = shortener.compress_documents([Document(page_content=""), *documents], QUERY)

    assert 0 < len(found) < len(documents)
    assert all(document.page_content for document in found)
    assert [] == shortener.compress_documents([], QUERY)


@pytest.mark.parametrize("options", [{"compressor": "bundled"}, {"settings": {"ratio": 4}}, {"ratio": 4}])
def test_wrong_options_are_refused(compressor: Compressor, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="MoosDocumentCompressor\n" + next(iter(options))):
        MoosDocumentCompressor(**{"compressor": compressor, **options})


def test_without_the_package_the_error_names_the_extra() -> None:
    said = import_without("langchain_core", "langchain")

    assert said.startswith("ImportError: ")
    assert said.endswith("install it with: pip install 'moosproxy[langchain]'")
