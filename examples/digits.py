"""Real input: two specs, trained each in its own framework, are the same network in all three.

`n2.net` is trained as an emitted PyTorch module in a plain loop, `n1.net` as an emitted Keras model
with `fit`, both on scikit-learn's handwritten digits (8 x 8, grey). Each one's weights then move
through a safetensors file into PyTorch, Keras and ONNX Runtime, and every network says what it sees
in the digits that were held out, with its batch norms as written and folded. (N2's folds into the
convolution before it; N1's follow a ReLU, where folding leaves them as they are.)

    python examples/digits.py [--work FOLDER]

PyTorch and TensorFlow do not share a process, so each stage is a process of its own and leaves what
it made in the work folder: sources, weights, predictions.
"""

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import netspec

EXAMPLES = Path(__file__).parent
TARGETS = ("torch", "keras", "onnx")
TRAINED_IN = {"n2": "torch", "n1": "keras"}
EPOCHS = 16
BATCH = 32


def load_graph(name: str) -> netspec.Graph:
    """The spec's network, sized for digits."""
    return netspec.load(EXAMPLES / f"{name}.net", input_shape=(1, 8, 8))


def emitted(graph: netspec.Graph, target: str, work: Path):
    """The module that netspec wrote for the graph, imported as any file of one's own."""
    path = work / f"{graph.name}_{target}.py"
    path.write_bytes(netspec.compile(graph, target=target).content)
    sys.path.insert(0, str(work))
    return importlib.import_module(path.stem)


def prepare(work: Path) -> None:
    """Three quarters of the 1,797 digits to learn from, the others held out; pixels in [0, 1]."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)  # n c h w
    names = ("train_x", "test_x", "train_y", "test_y")
    parts = train_test_split(images, digits.target, random_state=0, stratify=digits.target)
    np.savez(work / "digits.npz", **dict(zip(names, parts, strict=True)))


def train_torch(work: Path) -> None:
    """N2 in PyTorch: the emitted class and a loop as in any tutorial."""
    import torch

    torch.manual_seed(0)
    data = np.load(work / "digits.npz")
    images, labels = torch.from_numpy(data["train_x"]), torch.from_numpy(data["train_y"])
    graph = load_graph("n2")
    model = emitted(graph, "torch", work).N2()
    netspec.set_weights(model, graph, netspec.init_weights(graph, seed=0), target="torch")
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    weights = netspec.get_weights(model, graph, target="torch")
    netspec.save_weights(work / "n2.safetensors", weights, graph)
    np.save(work / "n2.trained.npy", run_torch(model, data["test_x"]))


def train_keras(work: Path) -> None:
    """N1 in Keras: the emitted function and `fit`."""
    import keras

    keras.utils.set_random_seed(0)
    data = np.load(work / "digits.npz")
    graph = load_graph("n1")
    model = emitted(graph, "keras", work).n1()
    netspec.set_weights(model, graph, netspec.init_weights(graph, seed=0), target="keras")
    model.compile("adam", "sparse_categorical_crossentropy")
    images = data["train_x"].transpose(0, 2, 3, 1)
    model.fit(images, data["train_y"], batch_size=BATCH, epochs=EPOCHS, verbose=0)
    weights = netspec.get_weights(model, graph, target="keras")
    netspec.save_weights(work / "n1.safetensors", weights, graph)
    np.save(work / "n1.trained.npy", run_keras(model, data["test_x"]))


def predict(target: str, work: Path) -> None:
    """Both networks in one framework, as written and with batch norms folded."""
    images = np.load(work / "digits.npz")["test_x"]
    run = {"torch": run_torch, "keras": run_keras, "onnx": run_onnx}[target]
    for name in TRAINED_IN:
        graph = load_graph(name)
        weights = netspec.load_weights(work / f"{name}.safetensors")
        for form, passes in (("written", []), ("folded", ["fold-bn"])):
            model = netspec.build(graph, target=target, weights=weights, passes=passes)
            np.save(work / f"{name}.{target}.{form}.npy", run(model, images))


def run_torch(model, images: np.ndarray) -> np.ndarray:
    """The model's outputs for images n c h w."""
    import torch

    with torch.inference_mode():
        return model.eval()(torch.from_numpy(images)).numpy()


def run_keras(model, images: np.ndarray) -> np.ndarray:
    """The same; Keras has the channels last."""
    return model.predict(images.transpose(0, 2, 3, 1), verbose=0)


def run_onnx(session, images: np.ndarray) -> np.ndarray:
    """The same through ONNX Runtime."""
    return session.run(None, {"input": images})[0]


def report(work: Path) -> bool:
    """Print how many held-out digits each network names rightly; say whether all agree on each."""
    labels = np.load(work / "digits.npz")["test_y"]
    agree = True
    print(f"{len(labels)} held-out digits{'trained':>14}", *(f"{target:>9}" for target in TARGETS))
    for name, home in TRAINED_IN.items():
        trained = np.load(work / f"{name}.trained.npy").argmax(1)
        for form in ("written", "folded"):
            files = [work / f"{name}.{target}.{form}.npy" for target in TARGETS]
            found = [trained, *(np.load(file).argmax(1) for file in files)]
            agree &= all(np.array_equal(trained, each) for each in found)
            title = f"{name} from {home}, {form}"
            print(f"{title:<25}", *(f"{(each == labels).mean():9.2%}" for each in found))
    print("every image gets the same answer everywhere" if agree else "THE ANSWERS DIFFER")
    return agree


def train_and_predict_keras(work: Path) -> None:
    """In one process, since TensorFlow takes longer to start than these networks to train."""
    train_keras(work)
    predict("keras", work)


STAGES = {
    "prepare": prepare,
    "train-torch": train_torch,
    "keras": train_and_predict_keras,
    "predict-torch": lambda work: predict("torch", work),
    "predict-onnx": lambda work: predict("onnx", work),
}


def main() -> int:
    """Run all stages one after another, or the one that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep what the stages make in this folder")
    parser.add_argument("--stage", choices=STAGES, help="run only this one")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        if options.stage:
            STAGES[options.stage](work)
            return 0
        # Networks as small as these run fastest on one thread.
        settings = {
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "OMP_NUM_THREADS": "1",
        }
        for stage in STAGES:
            command = [sys.executable, __file__, "--stage", stage, "--work", str(work)]
            done = subprocess.run(command, env=os.environ | settings, stderr=subprocess.PIPE)
            if done.returncode:  # TensorFlow talks on stderr in any case; only failures are shown
                sys.exit(done.stderr.decode())
        return 0 if report(work) else 1


if __name__ == "__main__":
    sys.exit(main())
