"""What the paper measured, beside what is measured here. No figure of one is a figure of the other."""

BESIDE_THE_PAPER = """## Beside the paper

Zhou et al., *MOOSComp* (arXiv 2504.16786). No code, weights or data of it are public, and its tables cannot be
repeated line by line: encoder, training data, alpha and beta are not told in what we could read. So this says what
stands beside what, and not how much better one is than the other.

| the paper | here |
|---|---|
| trained on meetings (MeetingBank) | trained on data that may be released, named on the model card |
| meetings, in its domain: summaries and answers | `meetings`: parts of QMSum; `qmsum_val`, `qmsum_test` below |
| LongBench, out of its domain | `passages10`, `passages20`, `articles`, `covidqa_long` |
| GSM8K and BIG-Bench Hard behind worked examples | `arithmetic`, `puzzles` |
| no question is shown to the compressor | both; the default policy shows the question where there is one |
| loose words, best first | *words* in the tables; the default policy leaves sentences, rows and blocks whole |
| ablations of loss and outlier score | `alpha` and `beta` in the tables, [experiments.md](experiments.md) |
| 3.3 times faster at 4x on a mobile device | time to first token: [benchmarks-edge.md](benchmarks-edge.md) |"""
