using LookaheadKV.Attention;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using static TorchSharp.torch;

namespace LookaheadKV.Lookahead;

/// <summary>
/// One teacher-forced pass over [prompt; response] without gradients: the true importance of every layer, the prompt's keys and values (which
/// do not see the response), and whether the response is what the model itself would have said.
/// </summary>
public sealed class LookaheadTarget : IDisposable
{
    private readonly DisposeScopeHolder _scope;

    private LookaheadTarget(DisposeScopeHolder scope, IReadOnlyList<Tensor> importance, IReadOnlyList<LayerRows> prompt, bool[] isGreedy)
    {
        (_scope, Importance, Prompt, IsGreedy) = (scope, importance, prompt, isGreedy);
    }

    /// <summary>s_true of each layer, [B,H,N] (float32).</summary>
    public IReadOnlyList<Tensor> Importance { get; }

    /// <summary>Each layer's keys and values [B,G,N,D] of the prompt; the queries, which nothing reads any more, are not held: [B,H,0,D].</summary>
    public IReadOnlyList<LayerRows> Prompt { get; }

    /// <summary>Whether each row's response equals the model's greedy one: every token is the most likely one after those before it.</summary>
    public bool[] IsGreedy { get; }

    /// <summary>Runs the pass over prompts of one length.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompts">B prompts of N tokens each.</param>
    /// <param name="responses">Their responses, 1..M tokens; shorter ones are padded, and the padding neither seen nor counted.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    public static LookaheadTarget Compute(
        Decoder decoder,
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<int[]> responses,
        CancellationToken cancellation = default
    )
    {
        var (batch, length, longest) = (prompts.Count, prompts[0].Length, responses.Max(r => r.Length));
        decoder.Config.RequireWholeAttention(length + longest);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var ids = cat([.. prompts.Zip(responses, (p, r) => decoder.Ids([.. p, .. r, .. Enumerable.Repeat(r[^1], longest - r.Length)]))], 0); // [B,N+M]
        var weights = tensor(
                responses.SelectMany(r => Enumerable.Range(0, longest).Select(i => i < r.Length ? 1f / r.Length : 0f)).ToArray()
            )
            .reshape(batch, longest)
            .to(decoder.Device);
        var importance = new List<Tensor>();
        var rows = new List<LayerRows>();
        var holder = new DisposeScopeHolder();
        try
        {
            var hidden = PromptPass.Run(decoder, ids, Layer, cancellation);
            var logits = decoder.Logits(hidden.narrow(1, length - 1, longest)); // rows that predict y_1..y_M
            var wrong = logits.argmax(-1).ne(ids.narrow(1, length, longest)).logical_and(weights.gt(0));
            var isGreedy = wrong.any(1).logical_not().cpu().data<bool>().ToArray();
            return new LookaheadTarget(holder, importance, rows, isGreedy);
        }
        catch
        {
            holder.Dispose();
            throw;
        }

        void Layer(int layer, LayerRows all)
        {
            var response = all.Queries.narrow(2, length, longest);
            var sums = AttentionRows.ColumnSums(response, all.Keys, length, weights: weights).narrow(-1, 0, length);
            importance.Add(holder.Keep(sums));
            // Copies: a view would keep all that it is cut from, the queries too where a layer's rows share a storage.
            var none = empty([batch, all.Queries.size(1), 0, all.Queries.size(3)], all.Queries.dtype, all.Queries.device);
            rows.Add(new LayerRows(holder.Keep(none), Prompt(all.Keys), Prompt(all.Values)));
        }

        Tensor Prompt(Tensor rows) =>
            holder.Keep(empty([batch, rows.size(1), length, rows.size(3)], rows.dtype, rows.device).copy_(rows.narrow(2, 0, length)));
    }

    /// <summary>The same for some of the rows.</summary>
    public LookaheadTarget Select(IReadOnlyList<int> rows)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var holder = new DisposeScopeHolder();
        var index = tensor(rows.Select(r => (long)r).ToArray(), device: Importance[0].device);
        Tensor Pick(Tensor t) => holder.Keep(t.index_select(0, index));
        return new LookaheadTarget(
            holder,
            [.. Importance.Select(Pick)],
            [.. Prompt.Select(p => new LayerRows(Pick(p.Queries), Pick(p.Keys), Pick(p.Values)))],
            [.. rows.Select(r => IsGreedy[r])]
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _scope.Dispose();

    /// <summary>Tensors that outlive the scope they were made in, disposed together.</summary>
    private sealed class DisposeScopeHolder : IDisposable
    {
        private readonly List<Tensor> _tensors = [];

        public Tensor Keep(Tensor tensor)
        {
            _tensors.Add(tensor.DetachFromDisposeScope());
            return tensor;
        }

        public void Dispose()
        {
            foreach (var tensor in _tensors)
                tensor.Dispose();
        }
    }
}
