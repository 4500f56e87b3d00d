"""The LlamaIndex postprocessor inside LlamaIndex's own query engine, down to what the model reads."""

from __future__ import annotations

import pytest
from llama_index.core import MockEmbedding, VectorStoreIndex
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.llms import MockLLM
from llama_index.core.schema import ImageNode, NodeRelationship, NodeWithScore, RelatedNodeInfo, TextNode

from moosproxy.compressor import CompressionSettings, Compressor
from moosproxy.compressor.integrations.llama_index import MoosNodePostprocessor
from tests.compressor.integrations.conftest import ANSWER, QUERY, TEXTS, holding_up, import_without


@pytest.fixture
def nodes() -> list[NodeWithScore]:
    return [
        NodeWithScore(
            node=TextNode(
                id_=f"n{page}",
                text=text,
                metadata={"page": page},
                relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="guide.pdf")},
            ),
            score=0.9 - page / 10,
        )
        for page, text in enumerate(TEXTS)
    ]


@pytest.fixture
def shortener(compressor: Compressor) -> MoosNodePostprocessor:
    return MoosNodePostprocessor(compressor=compressor, settings=CompressionSettings(ratio=3))


@pytest.fixture
def engine(shortener: MoosNodePostprocessor, nodes: list[NodeWithScore]) -> BaseQueryEngine:
    index = VectorStoreIndex([found.node for found in nodes], embed_model=MockEmbedding(8))
    return index.as_query_engine(
        llm=MockLLM(), similarity_top_k=len(TEXTS), node_postprocessors=[shortener], response_mode="compact"
    )


def check(prompt: str, found: list[NodeWithScore]) -> None:
    assert all(one.node.get_content() in prompt for one in found)
    assert ANSWER in prompt
    assert len(prompt) < sum(map(len, TEXTS))
    assert "page: 1" in prompt
    assert "moos_" not in prompt
    for one in found:
        assert f"n{one.metadata['page']}" == one.node_id
        assert one.metadata["moos_tokens_after"] <= one.metadata["moos_tokens_before"]
    assert 2 < max(one.metadata["moos_ratio"] for one in found)


def test_the_model_reads_the_shorter_texts(engine: BaseQueryEngine) -> None:
    answer = engine.query(QUERY)  # this model answers with the prompt that it was given

    check(str(answer), answer.source_nodes)


async def test_asynchronously_too_and_the_loop_goes_on(
    engine: BaseQueryEngine, shortener: MoosNodePostprocessor
) -> None:
    answer = await engine.aquery(QUERY)
    check(str(answer), answer.source_nodes)
    long = [NodeWithScore(node=TextNode(text=" ".join(TEXTS) * 20))]
    share, shortened = await holding_up(shortener.apostprocess_nodes(long, query_str=QUERY))

    assert share < 0.5
    assert 1 == len(shortened)


def test_ids_scores_and_relationships_stay_and_so_do_the_given_nodes(
    shortener: MoosNodePostprocessor, nodes: list[NodeWithScore]
) -> None:
    before = [found.model_copy(deep=True) for found in nodes]
    found = shortener.postprocess_nodes(nodes, query_str=QUERY)

    assert before == nodes
    for new in found:
        old = nodes[new.metadata["page"]]
        assert (old.node_id, old.score) == (new.node_id, new.score)
        assert old.node.relationships == new.node.relationships
        assert len(new.text) <= len(old.text)
    assert len(found) < len(nodes) or any(new.text != nodes[new.metadata["page"]].text for new in found)


def test_nodes_without_text_pass_and_emptied_ones_do_not(
    compressor: Compressor, nodes: list[NodeWithScore]
) -> None:
    picture = NodeWithScore(node=ImageNode(image="aGk=", id_="picture"), score=1)
    shortener = MoosNodePostprocessor(compressor=compressor, settings=CompressionSettings(ratio=30))

    found = shortener.postprocess_nodes([nodes[0], picture, *nodes[1:]], query_str=QUERY)

    assert picture in found
    assert 1 < len(found) <= len(nodes)
    assert all(one.text for one in found if one is not picture)
    assert [] == shortener.postprocess_nodes([])


def test_without_the_package_the_error_names_the_extra() -> None:
    said = import_without("llama_index", "llama_index")

    assert said.startswith("ImportError: ")
    assert said.endswith("install it with: pip install 'moosproxy[llama-index]'")
