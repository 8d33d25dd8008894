using LookaheadKV.Models;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Passes;

/// <summary>
/// A layer over a prompt, and over n observer rows behind it, in two compiled calls: what is known of the layer after the first is evicted before, or beside, the
/// second. The hidden rows are updated in place and must be the caller's own; low-rank pairs act on the observer rows, and ask for B = 1. No gradients.
/// </summary>
internal static class PromptScript
{
    /// <summary>Rows that go through the feed-forward block at once: what bounds its memory. The last chunk is up to twice as long.</summary>
    public const int FeedForwardRows = 8192;

    // 15 and 5 are bfloat16 and float16, the types of the flash operator.
    private static readonly LayerPrograms Programs = new(
        joined: false,
        """
        def attend_one(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            b, h, t, d = q.size(0), q.size(1), q.size(2), q.size(3)
            if q.is_cuda and (q.dtype == 15 or q.dtype == 5) and d % 8 == 0 and d <= 256:
                return torch._scaled_dot_product_flash_attention(q, k, v, 0.0, False, False)[0]
            g = k.size(1)
            return torch.scaled_dot_product_attention(q.reshape([b, g, h // g, d]), k, v).reshape([b, h, t, d])

        def prompt_attend(hidden: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, sin: Tensor, eps: float, g: int, last: bool) -> List[Tensor]:
            b, t = hidden.size(0), hidden.size(1)
            x = hidden.view([b * t, -1])
            q, k, v = project(x, w, pairs, n, cos.transpose(1, 2), sin.transpose(1, 2), eps, g, 1)
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
            if last:
                p = t - n
                y = hidden.narrow(1, p - 1, 1).clone()
                o = attend_one(q.narrow(2, p - 1, 1), k.narrow(2, 0, p), v.narrow(2, 0, p))
                add_attended(y.view([b, -1]), o.transpose(1, 2).reshape([b, -1]), w, pairs, 0, eps, 1)
                return [q, k, v, y]
            o = torch.scaled_dot_product_attention(q, k, v, None, 0.0, True, scale=None, enable_gqa=True).transpose(1, 2).reshape([b * t, -1])
            add_attended(x, o, w, pairs, n, eps, 1)
            return [q, k, v, hidden]

        def prompt_feed(hidden: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, eps: float, chunk: int) -> Tensor:
            x = hidden.view([-1, hidden.size(-1)])
            rows = x.size(0)
            start = 0
            while start < rows:
                count = rows - start
                tail = n
                if count >= 2 * chunk:
                    count = chunk
                    tail = 0
                feed(x.narrow(0, start, count), w, pairs, tail, eps, 1)
                start += count
            return hidden
        """
    );

    /// <summary>First half of a layer over a prompt, and over n observer rows behind it, in one causal pass.</summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The rows' angles and the model's constants.</param>
    /// <param name="hidden">Rows [B,T,E].</param>
    /// <param name="weights">The layer's list, maps apart.</param>
    /// <param name="lora">The low-rank pairs of the last n rows; null for none.</param>
    /// <param name="observers">n.</param>
    /// <param name="last">Whether only the last prompt row goes on.</param>
    /// <returns>Queries [B,H,T,D], keys, values [B,G,T,D], and what goes on: all rows [B,T,E], or the last prompt row [B,1,E].</returns>
    public static Tensor[] Attend(
        Execution execution,
        LayerCall call,
        Tensor hidden,
        Tensor[] weights,
        Tensor[]? lora,
        int observers,
        bool last
    ) =>
        Programs
            .Of(call.Form, execution)
            .InvokeMany(
                "prompt_attend",
                hidden,
                weights,
                lora ?? LayerSlots.NoPairs,
                observers,
                call.Cos,
                call.Sin,
                call.Epsilon,
                call.KvHeads,
                last
            );

    /// <summary>Second half: the feed-forward block.</summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The model's constants.</param>
    /// <param name="hidden">Rows [B,T,E].</param>
    /// <param name="weights">The layer's list, maps apart.</param>
    /// <param name="lora">The low-rank pairs of the last n rows; null for none.</param>
    /// <param name="observers">n; 0 where only the last prompt row goes on.</param>
    /// <returns>The rows that leave the layer, [B,T,E].</returns>
    public static Tensor Feed(Execution execution, LayerCall call, Tensor hidden, Tensor[] weights, Tensor[]? lora, int observers) =>
        Programs
            .Of(call.Form, execution)
            .Invoke("prompt_feed", hidden, weights, lora ?? LayerSlots.NoPairs, observers, call.Epsilon, FeedForwardRows);
}
