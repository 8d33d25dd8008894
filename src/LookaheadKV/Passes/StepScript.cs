using LookaheadKV.Models;
using LookaheadKV.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>One token a row through all layers in one compiled call, over caches that are written in place. No gradients.</summary>
internal static class StepScript
{
    /// <summary>What stands before and behind the layers of a step.</summary>
    public const string Ends = """
        def last_logits(x: Tensor, weight: Tensor, head: Tensor, eps: float, threads: int) -> Tensor:
            return row_product(norm(x, weight, eps), head, threads).float().view([x.size(0), 1, -1])

        def signed_sine(sin: Tensor) -> Tensor:
            half = sin.size(-1) // 2
            return torch.cat([-sin.narrow(-1, 0, half), sin.narrow(-1, half, half)], -1)


        """;

    // 15 and 5 are bfloat16 and float16, the types of the flash operator.
    private static readonly LayerPrograms Programs = new(
        joined: true,
        Ends
            + $$"""
            def attend_segments(q: Tensor, keys: Tensor, values: Tensor, span: Tensor, flash: bool) -> Tensor:
                # of each segment: where it starts, and how many entries it has
                if flash:
                    on = span.to(q.device).int()
                    rows = torch.arange(q.size(0) + 1, dtype=3, device=q.device)
                    starts = torch.cat([on[0], on[0].narrow(0, -1, 1) + on[1].narrow(0, -1, 1)])
                    longest = int(span[1].max())
                    return torch._flash_attention_forward(q, keys.unsqueeze(1), values.unsqueeze(1), rows, starts, 1, longest, 0.0, False, False, seqused_k=on[1])[0]
                first: List[int] = span[0].tolist()
                count: List[int] = span[1].tolist()
                out: List[Tensor] = []
                for s in range(len(first)):
                    k = keys.narrow(0, first[s], count[s])[None, None]
                    v = values.narrow(0, first[s], count[s])[None, None]
                    out.append(torch.scaled_dot_product_attention(q[s][None, None], k, v))
                return torch.cat(out, 1)

            def step(ids: Tensor, table: Tensor, weights: List[Tensor], keys: List[Tensor], values: List[Tensor], places: List[Tensor], stored: Tensor, spans: List[Tensor], ends: List[Tensor], position: Tensor, cos: Tensor, sin: Tensor, last: Tensor, head: Tensor, eps: float, g: int, watched: bool, threads: int) -> List[Tensor]:
                used: List[int] = stored.tolist()
                b = ids.size(0)
                d = cos.size(-1)
                x = torch.embedding(table, ids).view([b, -1])
                signed = signed_sine(sin)
                flash = x.is_cuda and (x.dtype == 15 or x.dtype == 5) and d % 8 == 0 and d <= 256
                pairs: List[Tensor] = []
                seen: List[Tensor] = []
                for l in range(len(used)):
                    w = weights[{{LayerSlots.Count}} * l:{{LayerSlots.Count}} * (l + 1)]
                    q, new, value = project(x, w, pairs, 0, cos, signed, eps, g, threads)
                    h = q.size(2)
                    if watched:
                        seen += [q.transpose(1, 2), new.transpose(1, 2), value.transpose(1, 2)]
                    n = used[l]
                    if n < 0:
                        keys[l].index_copy_(0, ends[l], new.reshape([b * g, d]))
                        values[l].index_copy_(0, ends[l], value.reshape([b * g, d]))
                        places[l].index_copy_(0, ends[l], position.expand([b, g]).reshape([b * g]))
                        o = attend_segments(q.reshape([b * g, h // g, d]), keys[l], values[l], spans[l], flash)
                    else:
                        k = keys[l].view([b, g, -1, d])
                        v = values[l].view([b, g, -1, d])
                        k.narrow(2, n, 1).copy_(new.transpose(1, 2))
                        v.narrow(2, n, 1).copy_(value.transpose(1, 2))
                        places[l].view([b, g, -1]).select(2, n).copy_(position)
                        k = k.narrow(2, 0, n + 1)
                        v = v.narrow(2, 0, n + 1)
                        if flash:
                            o = torch._scaled_dot_product_flash_attention(q.transpose(1, 2), k, v, 0.0, False, False)[0]
                        else:
                            o = torch.scaled_dot_product_attention(q.reshape([b, g, h // g, d]), k, v)
                    x = finish(x, o.reshape([b, -1]), w, pairs, 0, eps, threads)
                return [last_logits(x, last, head, eps, threads)] + seen
            """
    );

    /// <summary>One token a row through all layers, over caches that are written in place behind their <paramref name="stored"/> entries.</summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The step's angles and the model's constants.</param>
    /// <param name="ids">Tokens [B,1].</param>
    /// <param name="weights">Embedding, final norm, output head, and the lists of all layers, maps joined.</param>
    /// <param name="keys">Each layer's keys, [B·G·capacity, D].</param>
    /// <param name="values">Each layer's values.</param>
    /// <param name="places">Each layer's positions, [B·G·capacity].</param>
    /// <param name="stored">Entries in use a segment, each layer (int64 on the CPU); -1 for a ragged layer.</param>
    /// <param name="spans">Of a ragged layer, where each segment starts and how many entries it has with the new one, [2, B·G] (int64 on the CPU).</param>
    /// <param name="next">Of a ragged layer, where each segment's new entry goes, [B·G] (int64 on the device).</param>
    /// <param name="position">Position of each row's token, [B,1].</param>
    /// <param name="watched">Whether the rows of each layer are wanted too.</param>
    /// <returns>Logits [B,1,vocabulary] (float32), then q, k, v of each layer where they are wanted.</returns>
    public static Tensor[] Step(
        Execution execution,
        LayerCall call,
        Tensor ids,
        DecoderWeights weights,
        Tensor[] keys,
        Tensor[] values,
        Tensor[] places,
        Tensor stored,
        Tensor[] spans,
        Tensor[] next,
        Tensor position,
        bool watched
    )
    {
        var threads = ids.device_type == DeviceType.CPU && ids.size(0) == 1 ? get_num_threads() : 1; // of a product with one row
        // Operators cost less without what autograd keeps of each; rows that are handed on are for anyone, gradients included.
        Tensor[] result;
        using (watched ? null : inference_mode())
            result = Programs
                .Of(call.Form, execution)
                .InvokeMany(
                    "step",
                    ids,
                    weights.Embedding,
                    weights.Joined,
                    keys,
                    values,
                    places,
                    stored,
                    spans,
                    next,
                    position,
                    call.Cos,
                    call.Sin,
                    weights.FinalNorm,
                    weights.Head,
                    call.Epsilon,
                    call.KvHeads,
                    watched,
                    threads
                );
        if (watched)
            return result;
        using var logits = result[0];
        return [logits.clone()]; // a tensor like any other
    }
}
