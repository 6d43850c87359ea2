"""The whole loop on the embedded model, with an annotator whose taste is known."""

from rlhf_lab.demo.run import DemoSettings, run_demo

__all__ = ["DemoSettings", "run_demo"]
