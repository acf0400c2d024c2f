"""A trained model as one file for other runtimes: ONNX, its int8 form, safetensors.

`graph` and `quantize` write ONNX files and need torch; `runtime` and `metadata` read them and
import neither torch nor scikit-learn.
"""
