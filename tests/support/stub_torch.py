"""A worker that needs torch: the dispatcher imports this module, and so torch, before it forks."""

import torch
import torch._dynamo

torch.set_num_threads(1)


def one_step(run) -> str:
    """Three forward and backward passes and optimizer steps: what a fork must not break."""
    run.update_status(state="running")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.GELU(), torch.nn.Linear(512, 256))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    data = torch.randn(512, 256)
    for step in range(3):
        loss = (model(data) - data).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.append_metrics({"kind": "train", "step": step + 1, "loss": loss.item()})
    run.update_status(state="finished", note={"threads": torch.get_num_threads()})
    return "finished"
