"""Packages by rule; the starter configs are the folder ``configs``, installed in the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["faultdiag", "faultdiag.*"]), "faultdiag.configs"],
    package_dir={"faultdiag.configs": "configs"},
)
