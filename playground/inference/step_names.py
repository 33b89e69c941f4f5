"""Names of the inputs and outputs that let one decoding step feed the next one on a GPU.

`rewrite_for_cuda.with_next_step` adds them to a graph, `device_step.DeviceStep` binds them.
"""

GREEDY_TOKEN = "likeliest"  # int64 [batch, 1]: the most likely next token, which is the next step's input_ids
NEXT_LENGTHS = "seqlens_after"  # int32 [batch]: the next step's seqlens_k
NEXT_POSITIONS = "positions_after"  # int64 [batch, 1]: the next step's position_ids
NEXT_COUNT = "count_after"  # int64 [batch, 1]: the next step's count
GREEDY_TOKENS = "said"  # int64 [batch, BLOCK]: the most likely tokens of the last BLOCK steps, a ring buffer
BLOCK = 16  # steps after which the tokens are copied to the CPU together
