"""Weights in memory of this process alone, whatever is written to their file later."""

import torch
from torch import nn


@torch.inference_mode()
def take_from_files(module: nn.Module) -> None:
    """Copy the weights of a network on a CPU that may still be mapped from their file.

    A mapped weight is read from the file as it is needed: who overwrites the file changes it, and
    who cuts it ends the process. Weights of a type of their own, as of quantised networks, stay.
    """
    for weight in (*module.parameters(), *module.buffers()):
        if weight.device.type == "cpu" and type(weight) in (nn.Parameter, torch.Tensor):
            weight.data = weight.data.clone()
