using LookaheadKV.Attention;
using LookaheadKV.Cache;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Training;

/// <summary>
/// What a module is trained on, computed without gradients: the true importance of every layer, and the prompt's keys and values (which do not see the
/// response). From one teacher-forced pass over [prompt; response], or from response rows alone behind a prompt's cache.
/// </summary>
public sealed class LookaheadTarget : IDisposable
{
    private readonly Owned _owned;

    private LookaheadTarget(Owned owned, IReadOnlyList<Tensor> importance, IReadOnlyList<LayerRows> prompt, bool[]? isGreedy)
    {
        (_owned, Importance, Prompt, IsGreedy) = (owned, importance, prompt, isGreedy);
    }

    /// <summary>s_true of each layer, [B,H,N] (float32).</summary>
    public IReadOnlyList<Tensor> Importance { get; }

    /// <summary>Each layer's keys and values [B,G,N,D] of the prompt; the queries, which nothing reads any more, are not held: [B,H,0,D].</summary>
    public IReadOnlyList<LayerRows> Prompt { get; }

    /// <summary>
    /// Whether each row's response equals the model's greedy one: every token is the most likely one after those before it. Null where nothing was
    /// verified (<see cref="Behind"/>).
    /// </summary>
    public IReadOnlyList<bool>? IsGreedy { get; }

    /// <summary>Runs the pass over prompts of one length.</summary>
    /// <param name="decoder">The model.</param>
    /// <param name="prompts">B prompts of N tokens each.</param>
    /// <param name="responses">Their responses, 1..M tokens; shorter ones are padded, and the padding neither seen nor counted.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    /// <param name="execution">How layers run; default compiled.</param>
    public static LookaheadTarget Compute(
        Decoder decoder,
        IReadOnlyList<int[]> prompts,
        IReadOnlyList<int[]> responses,
        CancellationToken cancellation = default,
        Execution? execution = null
    )
    {
        var answers = new ResponseBatch(responses);
        var (batch, length, longest) = (prompts.Count, prompts[0].Length, answers.Longest);
        decoder.Config.RequireWholeAttention(length + longest);
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var ids = cat([.. prompts.Zip(answers.Padded, (p, r) => decoder.Ids([.. p, .. r]))], 0); // [B,N+M]
        var weights = answers.Weights(decoder.Device);
        var importance = new List<Tensor>();
        var rows = new List<LayerRows>();
        var owned = new Owned();
        try
        {
            var hidden = PromptPass.Run(decoder, ids, Layer, cancellation, execution);
            var logits = decoder.Logits(hidden.narrow(1, length - 1, longest)); // rows that predict y_1..y_M
            var wrong = logits.argmax(-1).ne(ids.narrow(1, length, longest)).logical_and(weights.gt(0));
            var isGreedy = wrong.any(1).logical_not().cpu().data<bool>().ToArray();
            return new LookaheadTarget(owned, importance, rows, isGreedy);
        }
        catch
        {
            owned.Dispose();
            throw;
        }

        void Layer(int layer, LayerRows all)
        {
            var response = all.Queries.narrow(2, length, longest);
            var sums = AttentionRows.ColumnSums(response, all.Keys, length, weights: weights).narrow(-1, 0, length);
            importance.Add(owned.Keep(sums));
            // Copies: a view would keep all that it is cut from, the queries too where a layer's rows share a storage.
            var none = empty([batch, all.Queries.size(1), 0, all.Queries.size(3)], all.Queries.dtype, all.Queries.device);
            rows.Add(new LayerRows(owned.Keep(none), Prompt(all.Keys), Prompt(all.Values)));
        }

        Tensor Prompt(Tensor rows) =>
            owned.Keep(empty([batch, rows.size(1), length, rows.size(3)], rows.dtype, rows.device).copy_(rows.narrow(2, 0, length)));
    }

    /// <summary>
    /// Runs the response rows alone, behind prompts whose full caches are there: what generating the responses left. Equals <see cref="Compute"/> but for
    /// the last bits, without a second pass over the prompts.
    /// </summary>
    /// <param name="decoder">The model.</param>
    /// <param name="session">Prompts of one length, nothing evicted; the target owns it from here on.</param>
    /// <param name="responses">Their responses, 1..M tokens; shorter ones are padded, and the padding neither seen nor counted.</param>
    /// <param name="cancellation">Looked at before every layer.</param>
    public static LookaheadTarget Behind(
        Decoder decoder,
        BatchSession session,
        IReadOnlyList<int[]> responses,
        CancellationToken cancellation = default
    )
    {
        var owned = new Owned();
        owned.Keep(session);
        try
        {
            using var noGrad = no_grad();
            using var scope = NewDisposeScope();
            var length = session.Reports[0].PromptTokens;
            var answers = new ResponseBatch(responses);
            var weights = answers.Weights(decoder.Device);
            LayerRows[] prompt = [.. session.Cache.Layers.Select(Prompt)];
            var importance = new List<Tensor>();
            using var pass = new ObserverPass(decoder, answers, responses.Count, length, Layer);
            prompt.HandTo(pass, cancellation);
            return new LookaheadTarget(owned, importance, prompt, isGreedy: null);

            LayerRows Prompt(ICacheLayer cache)
            {
                var none = empty([responses.Count, decoder.Config.QueryHeads, 0, cache.HeadSize], cache.DType, cache.Device);
                var (keys, values, _) = cache.Entries();
                return new(owned.Keep(none), owned.Keep(keys.narrow(2, 0, length)), owned.Keep(values.narrow(2, 0, length)));
            }

            void Layer(int layer, LayerRows prompt, LayerRows response)
            {
                var sums = AttentionRows.ColumnSums(response.Queries, response.KeysBehind(prompt.Keys), length, weights: weights);
                importance.Add(owned.Keep(sums.narrow(-1, 0, length)));
            }
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>The same for some of the rows.</summary>
    public LookaheadTarget Select(IReadOnlyList<int> rows)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var owned = new Owned();
        var index = tensor(rows.Select(r => (long)r).ToArray(), device: Importance[0].device);
        Tensor Pick(Tensor t) => owned.Keep(t.index_select(0, index));
        return new LookaheadTarget(
            owned,
            [.. Importance.Select(Pick)],
            [.. Prompt.Select(p => new LayerRows(Pick(p.Queries), Pick(p.Keys), Pick(p.Values)))],
            IsGreedy is null ? null : [.. rows.Select(r => IsGreedy[r])]
        );
    }

    /// <inheritdoc/>
    public void Dispose() => _owned.Dispose();

    /// <summary>Tensors that outlive the scope they were made in, and what they lie in, disposed together.</summary>
    private sealed class Owned : IDisposable
    {
        private readonly List<IDisposable> _parts = [];

        public Tensor Keep(Tensor tensor)
        {
            _parts.Add(tensor.DetachFromDisposeScope());
            return tensor;
        }

        public void Keep(BatchSession session) => _parts.Add(session);

        public void Dispose()
        {
            foreach (var part in Enumerable.Reverse(_parts))
                part.Dispose();
        }
    }
}
