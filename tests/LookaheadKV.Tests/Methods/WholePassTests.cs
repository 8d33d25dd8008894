using LookaheadKV.Attention;
using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Scoring;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>Methods that run the model themselves, against one causal pass over everything that they put behind the prompt.</summary>
public sealed class WholePassTests : IDisposable
{
    private static readonly int[] Prompt = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3];
    private readonly Decoder _decoder = TinyDecoder.Create();
    private readonly DisposeScope _scope = NewDisposeScope();

    private WholePrompt Whole(PromptTrace trace) => new(trace.Context, trace.Layers, trace.NextToken);

    /// <summary>Each layer's rows of one causal pass.</summary>
    private List<LayerRows> Pass(params int[] ids)
    {
        var layers = new List<LayerRows>();
        using var noGrad = no_grad();
        PromptPass.Run(_decoder, _decoder.Ids(ids), (_, rows) => layers.Add(rows.Detach()));
        return layers;
    }

    private static void Near(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        Assert.InRange((expected - actual).abs().max().item<float>(), 0, 1e-5f);
    }

    [Theory]
    [InlineData(1, new[] { 7 })]
    [InlineData(3, new int[0])]
    [InlineData(4, new[] { 7, 8 })]
    [InlineData(10, new int[0])]
    [InlineData(2048, new[] { 7 })]
    public void Kvzip_replays_each_chunk_behind_the_prompt(int chunk, int[] instruction)
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var scores = new KVzip(chunk) { Instruction = instruction }.Score(Whole(trace), 3);
        Assert.Equal(2, scores.Count);
        for (var start = 0; start < Prompt.Length; start += chunk)
        {
            int[] replayed = [.. Prompt.Skip(start).Take(chunk)];
            var pass = Pass([.. Prompt, .. instruction, .. replayed]);
            for (var layer = 0; layer < 2; layer++)
            {
                var rows = AttentionRows.Softmax(
                    pass[layer].Queries.narrow(2, 10, instruction.Length + replayed.Length),
                    pass[layer].Keys,
                    10
                );
                Near(rows.amax([2L]).narrow(-1, start, replayed.Length), scores[layer].narrow(-1, start, replayed.Length));
            }
        }
        Assert.All(scores, layer => Assert.Equal([1, 4, 10], layer.shape));
    }

    [Theory]
    [InlineData(5, 3, 8)]
    [InlineData(3, 8, 4)] // the budget is smaller than the window
    [InlineData(9, 2, 0)]
    [InlineData(5, 3, 100)] // the context ends the pseudo answer
    public void Laq_writes_on_an_evicted_cache_what_a_session_writes(int count, int window, int tokens)
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var laq = new Laq(tokens, window);
        var pseudo = laq.PseudoAnswer(Whole(trace), count);
        var room = Math.Min(tokens, 24 - Prompt.Length);
        var policy = SnapKV.Policy(window) with
        {
            Budget = Budget.Tokens(count),
            Protection = Protection.LastTokens(Math.Min(window, count)),
        };
        using var session = Session.Start(_decoder, Prompt, policy, reserve: 20);
        int[] answer = [.. session.Generate(room)];
        if (tokens > 0)
            session.Append([]).Dispose(); // the last one is written, too
        for (var layer = 0; layer < 2; layer++)
        {
            var stored = session.Cache.Layers[layer].Entries();
            Assert.Equal(answer.Length, pseudo[layer].Keys.size(2));
            Assert.True(pseudo[layer].Keys.equal(stored.Keys.narrow(2, count, answer.Length)).all().item<bool>());
            Assert.True(pseudo[layer].Values.equal(stored.Values.narrow(2, count, answer.Length)).all().item<bool>());
            Assert.Equal([1, 4, answer.Length, 4], pseudo[layer].Queries.shape);
        }
        var scores = laq.Score(Whole(trace), count);
        for (var layer = 0; layer < 2; layer++)
            Near(Laq.Score(trace.Layers[layer].Queries, trace.Layers[layer].Keys, pseudo[layer], window), scores[layer]);
    }

    [Fact]
    public void Laqs_pseudo_answer_ends_with_an_end_token()
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var end = Session.GreedyResponse(_decoder, Prompt)[1]; // what comes second ends the answer
        var decoder = new Decoder(_decoder.Config with { EndTokens = [end] }, _decoder.Weights);
        var prompt = new WholePrompt(new PromptContext(decoder, trace.Ids, new Lazy<int[]>(() => [])), trace.Layers, trace.NextToken);
        Assert.Equal(2, new Laq(Tokens: 8).PseudoAnswer(prompt, Prompt.Length)[0].Queries.size(2));
    }

    [Fact]
    public void The_draft_answers_the_prompt()
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        foreach (var tokens in new[] { 1, 3, 32 })
        {
            var rows = Assert.IsType<ResponseRows>(new SpecKV(_decoder, tokens).Observe(trace.Context));
            Assert.Equal(Session.GreedyResponse(_decoder, Prompt, tokens), rows.Ids);
            Near(_decoder.Embed(_decoder.Ids([.. rows.Ids])), rows.Embed(_decoder, 1));
            Assert.Equal([3, rows.Ids.Count, 8], rows.Embed(_decoder, 3).shape);
            Assert.Null(rows.Lora(0));
        }
    }

    [Fact]
    public void The_oracle_watches_the_answer_that_the_context_gives()
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var answer = Session.GreedyResponse(_decoder, Prompt);
        Assert.Equal(answer, Assert.IsType<ResponseRows>(new Oracle().Observe(trace.Context)).Ids);
        var pass = Pass([.. Prompt, .. answer]);
        var scores = trace.Scores(Oracle.Method.Policy(), 3);
        for (var layer = 0; layer < 2; layer++)
        {
            var rows = AttentionRows.Softmax(pass[layer].Queries.narrow(2, 10, answer.Length), pass[layer].Keys, 10);
            Near(Grouping.Reduce(rows.mean([2L]).narrow(-1, 0, 10), 2), scores[layer]);
        }
    }

    [Fact]
    public void Expected_attention_looks_at_the_positions_behind_the_prompt()
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var rows = trace.Layers[1];
        foreach (var horizon in new[] { 1, 7 })
            Near(
                ExpectedAttention.Score(rows, _decoder.Angles(0, 10), _decoder.Angles(10, horizon), 2),
                new ExpectedAttention(horizon, Sinks: 2).Score(trace.Context, 1, rows)
            );
        Assert.Equal(0, ExpectedAttention.Score(rows, _decoder.Angles(0, 10), _decoder.Angles(10, 3), 10).abs().sum().item<float>());
        var one = ExpectedAttention.Score(rows, _decoder.Angles(0, 10), _decoder.Angles(10, 3), 9);
        Assert.Equal(0, one.narrow(-1, 0, 9).abs().sum().item<float>());
        Assert.True(ExpectedAttention.Score(rows, _decoder.Angles(0, 10), _decoder.Angles(10, 3), sinks: 0).gt(0).all().item<bool>());
        // One key alone has the whole weight: its score is the length of its value.
        Near(linalg.vector_norm(rows.Values.narrow(2, 9, 1), 2, [-1L]).repeat_interleave(2, 1), one.narrow(-1, 9, 1));
    }

    [Fact]
    public void Scorers_read_what_their_functions_read()
    {
        using var trace = new PromptTrace(_decoder, Prompt);
        var (rows, context) = (trace.Layers[0], trace.Context);
        Near(H2O.Score(rows.Queries, rows.Keys), new H2O().Score(context, 0, rows));
        Near(Tova.Score(rows.Queries, rows.Keys), new Tova().Score(context, 0, rows));
        Near(KeyNorm.Score(rows.Keys), new KeyNorm().Score(context, 0, rows));
        Near(KeyDiff.Score(rows.Keys), new KeyDiff().Score(context, 0, rows));
        Near(SnapKV.Score(rows.Queries, rows.Keys, 3), new SnapKV(3).Score(context, 0, rows));
        Near(StreamingLlm.Score(rows.Keys), new StreamingLlm().Score(context, 0, rows));
        Near(RandomScore.Score(rows.Keys, 4, 1), new RandomScore(4).Score(context, 1, rows));
        Near(SpecKV.Score(rows.Queries, rows.Keys, rows, 3), new SpecKV(_decoder, Window: 3).Score(0, rows, rows));
    }

    public void Dispose()
    {
        _scope.Dispose();
        _decoder.Dispose();
    }
}
