using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// The decoder's layer over a prompt, and its whole decoding step over all layers, as one TorchScript function each: one call from C# where the readable
/// version makes dozens, operators that TorchSharp does not bind, and the residual stream updated in place. Without gradients only.
/// </summary>
/// <remarks>
/// A layer's weights are a list of <see cref="WeightsOfLayer"/> tensors (norm; q|k|v and bias; norms of query and key heads; output and bias; norm; gate|up and
/// bias; down and bias), its low-rank pairs one of <see cref="LoraOfLayer"/> (A and B of q|k|v, output, gate|up, down), an empty tensor where there is none.
/// Rows are [R,E] with R = B·T; low-rank pairs act on the last n of them, so that n &gt; 0 asks for B = 1.
/// </remarks>
internal static class DecoderScript
{
    /// <summary>Tensors in a layer's list of weights.</summary>
    public const int WeightsOfLayer = 12;

    /// <summary>Tensors in a layer's list of low-rank pairs.</summary>
    public const int LoraOfLayer = 8;

    /// <summary>Rows that go through the feed-forward block at once: what bounds its memory. The last chunk is up to twice as long.</summary>
    public const int FeedForwardRows = 8192;

    // In place, for operators that run one by one: the least memory traffic.
    private const string InPlace = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            y = x * cos
            s = sin.narrow(-1, 0, half)
            y.narrow(-1, 0, half).addcmul_(x.narrow(-1, half, half), s, value=-1)
            y.narrow(-1, half, half).addcmul_(x.narrow(-1, 0, half), s)
            return y

        def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            # of few rows: the fewest operators; the sine's first half carries the minus of the rotation
            return torch.addcmul(x * cos, torch.roll(x, [x.size(-1) // 2], [-1]), sin)

        def gate_up(gate: Tensor, up: Tensor) -> Tensor:
            return torch.silu_(gate).mul_(up)

        def gate_up_row(gate: Tensor, up: Tensor) -> Tensor:
            return torch.silu(gate).mul_(up)


        """;

    // As plain expressions, for the compiler that merges them into one kernel each.
    private const string Mergeable = """
        def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            return x * cos + torch.cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1) * sin

        def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            half = x.size(-1) // 2
            return x * cos + torch.cat([x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1) * sin

        def gate_up(gate: Tensor, up: Tensor) -> Tensor:
            return torch.silu(gate) * up

        def gate_up_row(gate: Tensor, up: Tensor) -> Tensor:
            return torch.silu(gate) * up


        """;

    // 15 and 5 are bfloat16 and float16, the types of the flash operator.
    private const string Source = """
        def linear(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
            if b.numel() == 0:
                return torch.linear(x, w)
            return torch.linear(x, w, b)

        def add_linear(y: Tensor, x: Tensor, w: Tensor, b: Tensor):
            if b.numel() == 0:
                y.addmm_(x, w.t())
            else:
                y.add_(torch.linear(x, w, b))

        def add_lora(y: Tensor, x: Tensor, pairs: List[Tensor], i: int, n: int):
            if n > 0 and pairs[2 * i].numel() > 0:
                low = torch.linear(x.narrow(0, x.size(0) - n, n), pairs[2 * i])
                y.narrow(0, y.size(0) - n, n).addmm_(low, pairs[2 * i + 1].t())

        def add_parts(ys: List[Tensor], x: Tensor, pairs: List[Tensor], i: int, n: int):
            # maps that read the same rows: one product for all A, one more for each B
            if n > 0 and pairs[2 * i].numel() > 0:
                low = torch.linear(x.narrow(0, x.size(0) - n, n), pairs[2 * i])
                first = 0
                for y in ys:
                    b = pairs[2 * i + 1].narrow(0, first, y.size(1))
                    y.narrow(0, y.size(0) - n, n).addmm_(low, b.t())
                    first += y.size(1)

        def project(x: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, sin: Tensor, eps: float, g: int, b: int) -> List[Tensor]:
            d = cos.size(-1)
            t = x.size(0) // b
            h = w[1].size(0) // d - 2 * g
            a = torch.rms_norm(x, [x.size(-1)], w[0], eps)
            sizes = [h * d, g * d, g * d]
            # three products, so that keys and values have storage of their own
            ws = torch.split_with_sizes(w[1], sizes)
            if w[2].numel() == 0:
                q, k, v = torch.linear(a, ws[0]), torch.linear(a, ws[1]), torch.linear(a, ws[2])
            else:
                bs = torch.split_with_sizes(w[2], sizes)
                q, k, v = torch.linear(a, ws[0], bs[0]), torch.linear(a, ws[1], bs[1]), torch.linear(a, ws[2], bs[2])
            add_parts([q, k, v], a, pairs, 0, n)
            q = q.view([b, t, h, d])
            k = k.view([b, t, g, d])
            v = v.view([b, t, g, d])
            if w[3].numel() > 0:
                q = torch.rms_norm(q, [d], w[3], eps)
                k = torch.rms_norm(k, [d], w[4], eps)
            c = cos.transpose(1, 2)
            s = sin.transpose(1, 2)
            return [rotate(q, c, s).transpose(1, 2), rotate(k, c, s).transpose(1, 2), v.transpose(1, 2)]

        def attend_one(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            b, h, t, d = q.size(0), q.size(1), q.size(2), q.size(3)
            if q.is_cuda and (q.dtype == 15 or q.dtype == 5) and d % 8 == 0 and d <= 256:
                return torch._scaled_dot_product_flash_attention(q, k, v, 0.0, False, False)[0]
            g = k.size(1)
            return torch.scaled_dot_product_attention(q.reshape([b, g, h // g, d]), k, v).reshape([b, h, t, d])

        def prompt_feed(hidden: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, eps: float, chunk: int) -> Tensor:
            x = hidden.view([-1, hidden.size(-1)])
            f = w[10].size(1)
            rows = x.size(0)
            start = 0
            while start < rows:
                count = rows - start
                tail = n
                if count >= 2 * chunk:
                    count = chunk
                    tail = 0
                y = x.narrow(0, start, count)
                a = torch.rms_norm(y, [x.size(-1)], w[7], eps)
                # two products, so that both halves have storage of their own: what follows reads and writes them in one go
                bias = w[9].numel() > 0
                gate = linear(a, w[8].narrow(0, 0, f), w[9].narrow(0, 0, f) if bias else w[9])
                up = linear(a, w[8].narrow(0, f, f), w[9].narrow(0, f, f) if bias else w[9])
                add_parts([gate, up], a, pairs, 2, tail)
                gated = gate_up(gate, up)
                add_linear(y, gated, w[10], w[11])
                add_lora(y, gated, pairs, 3, tail)
                start += count
            return hidden

        def prompt_attend(hidden: Tensor, w: List[Tensor], pairs: List[Tensor], n: int, cos: Tensor, sin: Tensor, eps: float, g: int, last: bool) -> List[Tensor]:
            b, t = hidden.size(0), hidden.size(1)
            rows = project(hidden.view([b * t, -1]), w, pairs, n, cos, sin, eps, g, b)
            q, k, v = rows[0], rows[1], rows[2]
            if last:
                p = t - n
                y = hidden.narrow(1, p - 1, 1).clone()
                o = attend_one(q.narrow(2, p - 1, 1), k.narrow(2, 0, p), v.narrow(2, 0, p))
                add_linear(y.view([b, -1]), o.transpose(1, 2).reshape([b, -1]), w[5], w[6])
                return [q, k, v, y]
            o = torch.scaled_dot_product_attention(q, k, v, None, 0.0, True, scale=None, enable_gqa=True).transpose(1, 2).reshape([b * t, -1])
            x = hidden.view([b * t, -1])
            add_linear(x, o, w[5], w[6])
            add_lora(x, o, pairs, 1, n)
            return [q, k, v, hidden]

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

        def row_product(x: Tensor, w: Tensor, threads: int) -> Tensor:
            # BLAS gives a product with one row a single thread, and a batch of such products as many as there are
            parts = threads
            while w.size(0) % parts != 0:
                parts -= 1
            if parts == 1:
                return torch.linear(x, w)
            return torch.bmm(x.unsqueeze(0).expand([parts, 1, -1]), w.view([parts, -1, w.size(1)]).transpose(1, 2)).view([1, -1])

        def row_linear(x: Tensor, w: Tensor, b: Tensor, threads: int) -> Tensor:
            if threads == 1:
                return linear(x, w, b)
            y = row_product(x, w, threads)
            return y if b.numel() == 0 else y.add_(b)

        def add_row_linear(y: Tensor, x: Tensor, w: Tensor, b: Tensor, threads: int):
            if threads == 1:
                add_linear(y, x, w, b)
            else:
                y.add_(row_linear(x, w, b, threads))

        def row_heads(x: Tensor, weights: List[Tensor], w: int, cos: Tensor, signed: Tensor, eps: float, g: int, threads: int) -> Tuple[Tensor, Tensor, Tensor]:
            b, d = x.size(0), cos.size(-1)
            h = weights[w + 1].size(0) // d - 2 * g
            heads = row_linear(torch.rms_norm(x, [x.size(1)], weights[w], eps), weights[w + 1], weights[w + 2], threads).view([b, h + 2 * g, 1, d])
            value = heads.narrow(1, h + g, g)
            if weights[w + 3].numel() > 0:
                q = turn(torch.rms_norm(heads.narrow(1, 0, h), [d], weights[w + 3], eps), cos, signed)
                return q, turn(torch.rms_norm(heads.narrow(1, h, g), [d], weights[w + 4], eps), cos, signed), value
            turned = turn(heads.narrow(1, 0, h + g), cos, signed)
            return turned.narrow(1, 0, h), turned.narrow(1, h, g), value

        def finish_row(x: Tensor, o: Tensor, weights: List[Tensor], w: int, eps: float, threads: int):
            f = weights[w + 10].size(1)
            add_row_linear(x, o.reshape([x.size(0), -1]), weights[w + 5], weights[w + 6], threads)
            both = row_linear(torch.rms_norm(x, [x.size(1)], weights[w + 7], eps), weights[w + 8], weights[w + 9], threads)
            add_row_linear(x, gate_up_row(both.narrow(1, 0, f), both.narrow(1, f, f)), weights[w + 10], weights[w + 11], threads)

        def last_logits(x: Tensor, norm: Tensor, head: Tensor, eps: float, threads: int) -> Tensor:
            return row_product(torch.rms_norm(x, [x.size(1)], norm, eps), head, threads).float().view([x.size(0), 1, -1])

        def signed_sine(sin: Tensor) -> Tensor:
            half = sin.size(-1) // 2
            return torch.cat([-sin.narrow(-1, 0, half), sin.narrow(-1, half, half)], -1)

        def step(ids: Tensor, table: Tensor, weights: List[Tensor], keys: List[Tensor], values: List[Tensor], places: List[Tensor], stored: Tensor, spans: List[Tensor], ends: List[Tensor], position: Tensor, cos: Tensor, sin: Tensor, norm: Tensor, head: Tensor, eps: float, g: int, watched: bool, threads: int) -> List[Tensor]:
            used: List[int] = stored.tolist()
            b = ids.size(0)
            d = cos.size(-1)
            x = torch.embedding(table, ids).view([b, -1])
            signed = signed_sine(sin)
            flash = x.is_cuda and (x.dtype == 15 or x.dtype == 5) and d % 8 == 0 and d <= 256
            seen: List[Tensor] = []
            for l in range(len(used)):
                w = 12 * l
                q, new, value = row_heads(x, weights, w, cos, signed, eps, g, threads)
                h = q.size(1)
                if watched:
                    seen += [q, new, value]
                n = used[l]
                if n < 0:
                    keys[l].index_copy_(0, ends[l], new.reshape([b * g, d]))
                    values[l].index_copy_(0, ends[l], value.reshape([b * g, d]))
                    places[l].index_copy_(0, ends[l], position.expand([b, g]).reshape([b * g]))
                    o = attend_segments(q.reshape([b * g, h // g, d]), keys[l], values[l], spans[l], flash)
                else:
                    k = keys[l].view([b, g, -1, d])
                    v = values[l].view([b, g, -1, d])
                    k.narrow(2, n, 1).copy_(new)
                    v.narrow(2, n, 1).copy_(value)
                    places[l].view([b, g, -1]).select(2, n).copy_(position)
                    k = k.narrow(2, 0, n + 1)
                    v = v.narrow(2, 0, n + 1)
                    if flash:
                        o = torch._scaled_dot_product_flash_attention(q, k, v, 0.0, False, False)[0]
                    else:
                        o = torch.scaled_dot_product_attention(q.reshape([b, g, h // g, d]), k, v)
                finish_row(x, o, weights, w, eps, threads)
            return [last_logits(x, norm, head, eps, threads)] + seen

        def graph_step(ids: Tensor, table: Tensor, weights: List[Tensor], keys: List[Tensor], values: List[Tensor], starts: List[Tensor], ends: Tensor, used: Tensor, longest: Tensor, turn_at: Tensor, cosines: Tensor, sines: Tensor, norm: Tensor, head: Tensor, eps: float, g: int) -> Tensor:
            # the same with every length on the device, so that a recording of it holds for every later token
            most: List[int] = longest.tolist()
            b = ids.size(0)
            x = torch.embedding(table, ids).view([b, -1])
            cos = cosines.index_select(0, turn_at).squeeze(0)
            signed = signed_sine(sines.index_select(0, turn_at).squeeze(0))
            d = cos.size(-1)
            rows = torch.arange(b * g + 1, dtype=3, device=ids.device)
            for l in range(len(most)):
                w = 12 * l
                q, new, value = row_heads(x, weights, w, cos, signed, eps, g, 1)
                keys[l].index_copy_(0, ends[l], new.reshape([b * g, d]))
                values[l].index_copy_(0, ends[l], value.reshape([b * g, d]))
                o = torch._flash_attention_forward(q.reshape([b * g, q.size(1) // g, d]), keys[l].unsqueeze(1), values[l].unsqueeze(1), rows, starts[l], 1, most[l], 0.0, False, False, seqused_k=used[l])[0]
                finish_row(x, o, weights, w, eps, 1)
            return last_logits(x, norm, head, eps, 1)
        """;

    private static readonly Lazy<ScriptProgram> Plain = new(() => new ScriptProgram(InPlace + Source, fuse: false));
    private static readonly Lazy<ScriptProgram> Fusing = new(() => new ScriptProgram(Mergeable + Source, fuse: true));

    /// <summary>A list of low-rank pairs without any.</summary>
    public static Tensor[] NoLora { get; } = Nothing(LoraOfLayer);

    /// <summary>Where a layer has no such tensor.</summary>
    public static Tensor None => NoLora[0];

    /// <summary>
    /// First half of a layer over a prompt, and over n observer rows behind it, in one causal pass. The hidden rows are updated in place, and must be the
    /// caller's own.
    /// </summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The rows' angles and the model's constants.</param>
    /// <param name="hidden">Rows [B,T,E].</param>
    /// <param name="weights">The layer's list.</param>
    /// <param name="lora">The low-rank pairs of the last n rows; null for none.</param>
    /// <param name="observers">n.</param>
    /// <param name="last">Whether only the last prompt row goes on.</param>
    /// <returns>Queries [B,H,T,D], keys, values [B,G,T,D], and what goes on: all rows [B,T,E], or the last prompt row [B,1,E].</returns>
    public static Tensor[] PromptAttend(
        Execution execution,
        LayerCall call,
        Tensor hidden,
        Tensor[] weights,
        Tensor[]? lora,
        int observers,
        bool last
    ) =>
        Program(execution)
            .InvokeMany("prompt_attend", hidden, weights, lora ?? NoLora, observers, call.Cos, call.Sin, call.Epsilon, call.KvHeads, last);

    /// <summary>Second half: the feed-forward block. The hidden rows are updated in place.</summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The model's constants.</param>
    /// <param name="hidden">Rows [B,T,E].</param>
    /// <param name="weights">The layer's list.</param>
    /// <param name="lora">The low-rank pairs of the last n rows; null for none.</param>
    /// <param name="observers">n; 0 where only the last prompt row goes on.</param>
    /// <returns>The rows that leave the layer, [B,T,E].</returns>
    public static Tensor PromptFeed(Execution execution, LayerCall call, Tensor hidden, Tensor[] weights, Tensor[]? lora, int observers) =>
        Program(execution).Invoke("prompt_feed", hidden, weights, lora ?? NoLora, observers, call.Epsilon, FeedForwardRows);

    /// <summary>One token a row through all layers, over caches that are written in place behind their <paramref name="stored"/> entries.</summary>
    /// <param name="execution">Compiled or fused.</param>
    /// <param name="call">The step's angles and the model's constants.</param>
    /// <param name="ids">Tokens [B,1].</param>
    /// <param name="ends">Embedding, final norm and output head.</param>
    /// <param name="weights">The lists of all layers, joined.</param>
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
        (Tensor Embedding, Tensor Norm, Tensor Head) ends,
        Tensor[] weights,
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
            result = Program(execution)
                .InvokeMany(
                    "step",
                    ids,
                    ends.Embedding,
                    weights,
                    keys,
                    values,
                    places,
                    stored,
                    spans,
                    next,
                    position,
                    call.Cos,
                    call.Sin,
                    ends.Norm,
                    ends.Head,
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

    /// <summary>
    /// <see cref="Step"/> with all lengths on the device, to be recorded: CUDA, half precision. Every layer is written at <see cref="StepCounters.Ends"/> and
    /// attends to <see cref="StepCounters.Used"/> entries a segment; nothing is counted.
    /// </summary>
    /// <param name="decoder">Weights and constants: the embedding, final norm and output head, and the lists of all layers, joined.</param>
    /// <param name="ids">Tokens [B,1].</param>
    /// <param name="storage">Each layer's keys and values, [Σ capacity, D]; the positions of entries to come stand there already.</param>
    /// <param name="counters">Where the step stands.</param>
    /// <returns>Logits [B,1,vocabulary] (float32).</returns>
    public static Tensor GraphStep(
        (Tensor Embedding, Tensor Norm, Tensor Head, Tensor[] Layers, double Epsilon, int KvHeads) decoder,
        Tensor ids,
        (Tensor[] Keys, Tensor[] Values) storage,
        StepCounters counters
    ) =>
        Fusing.Value.Invoke(
            "graph_step",
            ids,
            decoder.Embedding,
            decoder.Layers,
            storage.Keys,
            storage.Values,
            counters.Starts,
            counters.Ends,
            counters.Used,
            counters.Longest,
            counters.Turn,
            counters.Cos,
            counters.Sin,
            decoder.Norm,
            decoder.Head,
            decoder.Epsilon,
            decoder.KvHeads
        );

    private static ScriptProgram Program(Execution execution) => (execution == Execution.Fused ? Fusing : Plain).Value;

    private static Tensor[] Nothing(int count)
    {
        var nothing = empty(0).DetachFromDisposeScope();
        return [.. Enumerable.Repeat(nothing, count)];
    }
}

/// <summary>What all layers of a pass share.</summary>
/// <param name="Cos">Cosines of the rows' angles, [1 or B, 1, T, D].</param>
/// <param name="Sin">Their sines.</param>
/// <param name="Epsilon">Of the RMS norms.</param>
/// <param name="KvHeads">G.</param>
internal readonly record struct LayerCall(Tensor Cos, Tensor Sin, double Epsilon, int KvHeads);
