using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// <see cref="StepScript"/> with all lengths on the device, so that a recording of it holds for every later token: CUDA, half precision. Every layer is written at
/// <see cref="StepCounters.Ends"/> and attends to <see cref="StepCounters.Used"/> entries a segment; nothing is counted.
/// </summary>
internal static class GraphStepScript
{
    private static readonly LayerPrograms Programs = new(
        joined: true,
        StepScript.Ends
            + $$"""
            def graph_step(ids: Tensor, table: Tensor, weights: List[Tensor], keys: List[Tensor], values: List[Tensor], starts: List[Tensor], ends: Tensor, used: Tensor, longest: Tensor, turn_at: Tensor, cosines: Tensor, sines: Tensor, last: Tensor, head: Tensor, eps: float, g: int) -> Tensor:
                most: List[int] = longest.tolist()
                b = ids.size(0)
                x = torch.embedding(table, ids).view([b, -1])
                cos = cosines.index_select(0, turn_at).squeeze(0)
                signed = signed_sine(sines.index_select(0, turn_at).squeeze(0))
                d = cos.size(-1)
                rows = torch.arange(b * g + 1, dtype=3, device=ids.device)
                pairs: List[Tensor] = []
                for l in range(len(most)):
                    w = weights[{{LayerSlots.Count}} * l:{{LayerSlots.Count}} * (l + 1)]
                    q, new, value = project(x, w, pairs, 0, cos, signed, eps, g, 1)
                    keys[l].index_copy_(0, ends[l], new.reshape([b * g, d]))
                    values[l].index_copy_(0, ends[l], value.reshape([b * g, d]))
                    o = torch._flash_attention_forward(q.reshape([b * g, q.size(2) // g, d]), keys[l].unsqueeze(1), values[l].unsqueeze(1), rows, starts[l], 1, most[l], 0.0, False, False, seqused_k=used[l])[0]
                    x = finish(x, o.reshape([b, -1]), w, pairs, 0, eps, 1)
                return last_logits(x, last, head, eps, 1)
            """
    );

    /// <summary>The step, to be recorded.</summary>
    /// <param name="decoder">Weights and constants.</param>
    /// <param name="ids">Tokens [B,1].</param>
    /// <param name="storage">Each layer's keys and values, [Σ capacity, D]; the positions of entries to come stand there already.</param>
    /// <param name="counters">Where the step stands.</param>
    /// <returns>Logits [B,1,vocabulary] (float32).</returns>
    public static Tensor Step(Decoder decoder, Tensor ids, (Tensor[] Keys, Tensor[] Values) storage, StepCounters counters) =>
        Programs
            .Of(decoder.Form, LayerWriting.Mergeable)
            .Invoke(
                "graph_step",
                ids,
                decoder.Weights.Embedding,
                decoder.Weights.Joined,
                storage.Keys,
                storage.Values,
                counters.Starts,
                counters.Ends,
                counters.Used,
                counters.Longest,
                counters.Turn,
                counters.Cos,
                counters.Sin,
                decoder.Weights.FinalNorm,
                decoder.Weights.Head,
                decoder.Config.RmsNormEpsilon,
                decoder.Config.KeyValueHeads
            );
}
