"""The Keras side: the same network by Keras 3 on TensorFlow, in an environment of its own.

python -m benchmarks.keras_side FOLDER [THREADS]
"""

import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from keras import layers, regularizers

from benchmarks.serve import serve

BATCH = 128


def block(x: Any, filters: int, kernel: int, stride: int) -> Any:
    """Convolution, normalisation, ReLU, pooling, as published."""
    x = layers.Conv1D(
        filters, kernel, stride, padding="same", kernel_regularizer=regularizers.l2(1e-4)
    )(x)
    return layers.MaxPooling1D(2)(layers.ReLU()(layers.BatchNormalization()(x)))


def attention(x: Any) -> Any:
    """ECA with a residual."""
    gate = layers.Reshape((-1, 1))(layers.GlobalAveragePooling1D()(x))
    gate = layers.Conv1D(1, 3, padding="same", use_bias=False, activation="sigmoid")(gate)
    gated = layers.Multiply()([x, layers.Reshape((1, -1))(gate)])
    return layers.Add()([x, gated])


def build(classes: int) -> Any:
    """WDCNN with ECA after block 2, compiled."""
    inputs = keras.Input((2048, 1))
    x = block(inputs, 16, 64, 16)
    x = attention(block(x, 32, 3, 1))
    for _ in range(3):
        x = block(x, 64, 3, 1)
    x = layers.Flatten()(x)
    x = layers.Dense(100, activation="relu", kernel_regularizer=regularizers.l2(1e-4))(x)
    outputs = layers.Dense(classes, kernel_regularizer=regularizers.l2(1e-4))(x)
    network = keras.Model(inputs, outputs)
    network.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return network


def set_seed(seed: int) -> None:
    """Set the seeds of Python, NumPy and TensorFlow."""
    keras.utils.set_random_seed(seed)


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
        tf.config.threading.set_inter_op_parallelism_threads(1)
    raw = np.load(folder / "windows.npy").transpose(0, 2, 1)
    x = (raw - raw.mean(1, keepdims=True)) / raw.std(1, keepdims=True)
    y = np.load(folder / "labels.npy")
    network = build(int(y.max()) + 1)
    serve(
        {
            "training": lambda: network.fit(x, y, batch_size=BATCH, epochs=1, verbose=0),
            "inference": lambda: network.predict(x, batch_size=512, verbose=0),
        }
    )


if __name__ == "__main__":
    main()
