"""The help of each bench, which is shown without an import of the bench."""

from dataclasses import dataclass

__all__ = ["DETAILS", "Details"]


@dataclass(frozen=True)
class Details:
    """The help of a bench.

    Attributes:
        measures: What it measures.
        contenders: Who takes part.
        duration: The time that it takes on two cores.
    """

    measures: str
    contenders: str
    duration: str

    def rows(self) -> list[tuple[str, str]]:
        """Return the rows of the help, each a heading and a text."""
        return [
            ("measures", self.measures),
            ("contenders", self.contenders),
            ("duration", self.duration),
        ]


_SEEDS = "--repeats is the number of seeds"
DETAILS: dict[str, Details] = {
    "fit": Details(
        "Seconds of trainings of an MLP on digits, a larger MLP, an LSTM, a GRU, a tf.data "
        "pipeline and a convnet: with a model that is compiled, and with a new one as in a trial.",
        'tfcourse.fit with XLA, without and "auto"; model.fit by default, with '
        "steps_per_execution=32 and with jit_compile=True; a loop in PyTorch and, of MLPs, a "
        "lax.scan over the epoch in JAX, where they are installed.",
        "about ten minutes; 3 rounds",
    ),
    "fold": Details(
        "Seconds of an inference of an MLP, a convnet and MobileNetV2, as one compiled call.",
        "The model with batch norm folded into the layers before it; the model as trained.",
        "7 rounds",
    ),
    "layers": Details(
        "Seconds of a training step and of an inference of a batch norm over 12 shapes, without "
        "XLA and with it.",
        "tfcourse.BatchNorm; keras.layers.BatchNormalization.",
        "7 rounds",
    ),
    "many-classes": Details(
        "Seconds of the cross-entropy and its gradients for 1024 examples and 50 000 classes, and "
        "the extra peak memory.",
        "SoftmaxHead.cross_entropy, in blocks; Dense with softmax and the stock loss.",
        "7 rounds",
    ),
    "optimizers": Details(
        "Seconds of a step over 1, 10 and 100 weights of 64x64: eager, compiled and with XLA.",
        "tfcourse's GradientDescent, Momentum, RMSprop and Adam; Keras's that take the same steps.",
        "7 rounds",
    ),
    "oracle": Details(
        "Seconds of a trial's way through an oracle (proposed, put on record, ended) after 10 to "
        "10 000 trials. Nothing is trained.",
        "tfcourse with random search and from coarse to fine; keras-tuner's RandomSearchOracle, "
        "up to 1000 trials.",
        "7 rounds",
    ),
    "population": Details(
        "Seconds of an epoch of one model on digits: an MLP with batch norm, of 64 and of 256 "
        "units a layer.",
        "tfcourse.fit with XLA and without; tfcourse.fit_population with 1, 8, 32 and 128 members.",
        "7 rounds",
    ),
    "score-per-second": Details(
        "Seconds until a search of 48 trials of 10 epochs on digits reaches the validation loss "
        "that the worse of it and Optuna's ends with.",
        'tfcourse with strategy "gp", one trial after another and in populations of 8; Optuna\'s '
        "TPE with model.fit.",
        f"about ten minutes for 5 seeds; {_SEEDS}",
    ),
    "search": Details(
        "Seconds of whole searches on digits and of a convnet: data, trials, record, and the best "
        "model on the test set.",
        "tfcourse search, also without reuse of models, and with two workers; keras-tuner's "
        "RandomSearch on the same models and values; the training of a population without a "
        "search.",
        "about twelve minutes; 1 round",
    ),
    "soak": Details(
        "Whether promises are kept. Of 1000 tiny trials, in one process and with two workers: the "
        "growth of memory, open files, threads and temporary files, trials lost or doubled. Then "
        "kill -9 at random moments, each time continued by the same command: of workers and their "
        "parent, a chief and its workers, fit(checkpoint_dir=...), a population, a babysat "
        "training. Records, histories and weights must be those of an undisturbed run to the last "
        "bit. A broken promise is named, and the command ends with 1.",
        "trials, trials-two, workers, chief, fit, population, babysit: --part runs one, and may "
        "be given again. --kills are those of searches; each other part gets half as many.",
        "about 15 minutes; trials, trials-two and fit take three of them",
    ),
    "startup": Details(
        "Seconds of a process from its launch to its exit, and of a search to its first trial.",
        "tfcourse --help, --version, check and search; Python alone, with import tfcourse and with "
        "import tensorflow.",
        "5 rounds",
    ),
    "strategies": Details(
        "The regret of the best trial after 12 to 96 trials of eight problems with noise, and the "
        "seconds of a proposal. Nothing is trained.",
        "tfcourse's strategies; Optuna's samplers, those that are installed.",
        f"about an hour for 40 seeds; {_SEEDS}",
    ),
    "toy": Details(
        "Seconds of 1000 steps of gradient descent on w² - 10w + 25.",
        "tfcourse with XLA, without it and as minimize_quadratic(); NumPy; the course's TensorFlow "
        "1 session; a tf.function for each step; an eager GradientTape loop with Keras's SGD.",
        "7 rounds",
    ),
}
