"""The roadmap's 23 tasks (v10.2): what proves each, and what it still lacks."""

from dataclasses import dataclass
from typing import Literal

from snn5.report._results import Results

State = Literal["measured", "partly", "not there yet"]
PHASES = {
    1: ("Accurate architectures", "高精度アーキテクチャの実装"),
    2: ("Neurons and coding", "ニューロン・ダイナミクスとコーディングの強化"),
    3: ("Tuning", "SOTAモデルのHPOチューニング"),
    4: ("Saving energy", "省エネ化（エネルギー効率）の徹底追求"),
    5: ("Deployment", "デプロイメントと実用化"),
    6: ("All techniques together", "統合的効率化検証"),
    7: ("Benchmark and foundation", "ベンチマークと基盤整備"),
    8: ("Biological track", "生物学的パラダイムの強化"),
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the roadmap.

    Attributes:
        id, title, title_ja: as in the roadmap.
        stage, metric: the DVC stage and the figure of its summary that prove the task; None where nothing does yet.
        lacks: what the roadmap asks beyond that; empty where nothing.
    """

    id: str
    title: str
    title_ja: str
    stage: str | None = None
    metric: str | None = None
    lacks: str = ""

    @property
    def phase(self) -> int:
        """Its phase, 1 to 8."""
        return int(self.id[1])

    def state(self, results: Results) -> State:
        """`measured` and `partly` need the figure, not the intention."""
        if self.stage is None or self.metric is None or results.number(self.stage, self.metric) is None:
            return "not there yet"
        return "partly" if self.lacks else "measured"


TASKS = (
    Task(
        id="P1.1",
        title="Deep residual SNN: SEW-ResNet",
        title_ja="深層残差SNNの実装",
        stage="p1_depth",
        metric="sew_resnet56/test/acc",
        lacks="the roadmap asks for 100 layers and more: `python -m experiments.depth` trains 110, too long for the default roadmap",
    ),
    Task(
        id="P1.2",
        title="Event-driven transformer: Spikingformer",
        title_ja="イベント駆動型Transformer",
        stage="p1_contrast@spikingformer",
        metric="plain/test/acc",
    ),
    Task(
        id="P1.3",
        title="Hybrid transformer: HsVT",
        title_ja="ハイブリッドTransformer",
        stage="p1_contrast@hsvt",
        metric="stfe/test/acc",
    ),
    Task(
        id="P1.4",
        title="Spatio-temporal attention: DTA-SNN, STAA-SNN",
        title_ja="時空間アテンション",
        stage="p1_contrast@dta",
        metric="dta/test/acc",
    ),
    Task(
        id="P2.1",
        title="Learnable neuron: PLIF",
        title_ja="学習可能なニューロン (PLIF)",
        stage="p2_neurons",
        metric="plif/acc_lost_to_tau0",
    ),
    Task(id="P2.2", title="Gated neuron: GLIF", title_ja="学習可能なニューロン (GLIF)", stage="p2_neurons", metric="glif/test/acc"),
    Task(id="P2.3", title="Time-to-first-spike coding", title_ja="時間コーディングの最適化", stage="p2_coding", metric="verdict/all"),
    Task(
        id="P3.1",
        title="Hyperparameter search with Optuna",
        title_ja="SOTAアーキテクチャのHPO",
        stage="p3_tune",
        metric="test/acc",
        lacks="a small search on P1.1's network alone; P1.2 is not there to be tuned",
    ),
    Task(
        id="P4.1",
        title="Sparsity by regularisation",
        title_ja="スパース性正則化",
        stage="p4_sparsify",
        metric="cost/synops_ratio",
    ),
    Task(
        id="P4.2",
        title="Quantisation-aware training",
        title_ja="量子化アウェア学習 (QAT)",
        stage="p4_quantize",
        metric="compare/acc_loss",
    ),
    Task(
        id="P4.3",
        title="One-shot pruning: SBC",
        title_ja="ワンショット・プルーニング",
        stage="p4_prune",
        metric="prune/nnz_ratio",
    ),
    Task(
        id="P5.1",
        title="Early exit: SNN Cutoff",
        title_ja="動的推論 (SNN Cutoff)",
        stage="p5_cutoff@events",
        metric="cutoff/fewer_steps",
    ),
    Task(id="P5.2", title="Loihi 2 with Lava", title_ja="HW協調設計 (Lava)", stage="p5_lava", metric="networks_equal"),
    Task(
        id="P5.3",
        title="SpiNNaker with sPyNNaker",
        title_ja="HW協調設計 (SpiNNaker)",
        stage="p5_spinnaker@frames",
        metric="p1/nest/agreement",
        lacks="no board was at hand: with `p5_spinnaker.machine_name` set, the stage runs there, too",
    ),
    Task(
        id="P6.1",
        title="One network with all techniques",
        title_ja="統合効率化モデルの構築",
        stage="p6_integrate@frames",
        metric="test/acc",
        lacks="TTFS (P2.3) is judged by itself and is no step of the chain",
    ),
    Task(
        id="P6.2",
        title="Final efficiency benchmark",
        title_ja="最終効率ベンチマーク",
        stage="p6_integrate@frames",
        metric="cost/ratio_ann_dense",
        lacks="judged on digits, frames and events; the target itself is about CIFAR-10",
    ),
    Task(
        id="P7.1",
        title="Foundation: SpikingJelly",
        title_ja="開発基盤の移行",
        stage="p7_benchmark",
        metric="sew_resnet-frames/cost/synops",
    ),
    Task(
        id="P7.2",
        title="Event data sets",
        title_ja="ニューロモーフィック・データセット対応",
        stage="p7_data@events",
        metric="data/test_samples",
        lacks="events are those of a simulated camera; no network is trained on CIFAR10-DVS, SHD or N-Caltech101",
    ),
    Task(
        id="P7.3",
        title="Benchmark: accuracy, SynOps, spike rate",
        title_ja="統合ベンチマークの確立",
        stage="p7_suite",
        metric="p1_train@sew_resnet-events/cost/energy_pj",
        lacks="the networks on N-MNIST were recorded without operations, energy and time reversed",
    ),
    Task(
        id="P8.1",
        title="Liquid state machine",
        title_ja="LSMベースラインの実装",
        stage="p8_lsm",
        metric="events/test/acc",
        lacks="no SpikingSSM to compare with",
    ),
    Task(
        id="P8.2",
        title="Excitation and inhibition in balance",
        title_ja="E/Iバランスの実装",
        stage="p8_dale",
        metric="istdp/rate_ratio",
    ),
    Task(
        id="P8.3",
        title="Homeostasis: adaptive thresholds",
        title_ja="恒常性（適応的閾値）の実装",
        stage="p8_homeostasis",
        metric="threshold/x4/settled_steps",
    ),
    Task(
        id="P8.4",
        title="Reproducible learning",
        title_ja="Bio Track 再現性の安定化",
        stage="p8_reproducibility",
        metric="bio/r1/successes",
        lacks="59 seeds, which prove 95 %, are too long for the default roadmap: `python -m experiments.reproducibility`",
    ),
)
