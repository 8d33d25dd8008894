using LookaheadKV.Attention;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using LookaheadKV.Tests.Models;
using LookaheadKV.Training;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Methods;

/// <summary>The true importance of a batch beside whole passes over each prompt with its response, alone and without padding.</summary>
public sealed class TrueImportanceTests
{
    private static readonly int[][] Prompts =
    [
        [3, 8, 2, 11, 5],
        [1, 1, 4, 9, 6],
        [7, 2, 2, 12, 10],
    ];

    private static readonly int[][] Responses =
    [
        [2, 7, 9, 4],
        [5],
        [6, 3],
    ];

    [Fact]
    public void Importance_is_each_answers_own_mean_attention_and_padding_is_neither_seen_nor_counted()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var target = LookaheadTarget.Compute(decoder, Prompts, Responses);
        Assert.Equal((2, 2), (target.Importance.Count, target.Prompt.Count));
        Assert.All(target.Importance, scores => Assert.Equal((ScalarType.Float32, false), (scores.dtype, scores.requires_grad)));
        for (var row = 0; row < 3; row++)
            PromptPass.Run(decoder, decoder.Ids([.. Prompts[row], .. Responses[row]]), (layer, all) => Check(row, layer, all));

        void Check(int row, int layer, LayerRows all)
        {
            var count = Responses[row].Length;
            var rows = AttentionRows.Softmax(all.Queries.narrow(2, 5, count), all.Keys, 5);
            Close(rows.narrow(-1, 0, 5).mean([2L])[0], target.Importance[layer][row]);
            Close(all.Keys.narrow(2, 0, 5)[0], target.Prompt[layer].Keys[row]);
            Close(all.Values.narrow(2, 0, 5)[0], target.Prompt[layer].Values[row]);
            Assert.Equal([3, 4, 0, 4], target.Prompt[layer].Queries.shape);
        }
    }

    [Fact]
    public void A_response_is_greedy_if_each_of_its_tokens_is_what_the_model_says_next()
    {
        using var decoder = TinyDecoder.Create();
        var said = Prompts.Select(prompt => Session.GreedyResponse(decoder, prompt, 6, TestContext.Current.CancellationToken)).ToArray();
        var longest = said.MaxBy(response => response.Length)!;
        Assert.True(longest.Length >= 3, "the seed's responses are too short to tell anything");
        var prompt = Prompts[Array.IndexOf(said, longest)];
        var wrong = new Func<int, int[]>(at => [.. longest.Select((id, i) => i == at ? (id + 1) % 13 : id)]);
        int[][] responses = [longest, longest[..1], wrong(0), wrong(1), wrong(longest.Length - 1), longest[..2]];
        using var target = LookaheadTarget.Compute(decoder, [.. responses.Select(_ => prompt)], responses);
        Assert.Equal([true, true, false, false, false, true], target.IsGreedy!);
    }

    [Fact]
    public void Some_rows_are_those_rows_of_all()
    {
        using var scope = NewDisposeScope();
        using var decoder = TinyDecoder.Create();
        using var all = LookaheadTarget.Compute(decoder, Prompts, Responses);
        using var some = all.Select([2, 0]);
        Assert.Equal([all.IsGreedy![2], all.IsGreedy[0]], some.IsGreedy!);
        var index = tensor(new long[] { 2, 0 });
        foreach (var (expected, actual) in Tensors(all).Zip(Tensors(some)))
            Assert.True(actual.eq(expected.index_select(0, index)).all().item<bool>());

        static IEnumerable<Tensor> Tensors(LookaheadTarget target) =>
            [.. target.Importance, .. target.Prompt.SelectMany(rows => new[] { rows.Keys, rows.Values })];
    }

    [Fact]
    public void A_target_needs_attention_to_prompt_and_response()
    {
        using var exact = Sliding(5 + 4);
        LookaheadTarget.Compute(exact, Prompts, Responses).Dispose();
        using var shorter = Sliding(5 + 3);
        Assert.Contains(
            "9 tokens are more than the model's sliding_window 8",
            Assert.Throws<InputException>(() => LookaheadTarget.Compute(shorter, Prompts, Responses)).Message
        );

        static Decoder Sliding(int window) =>
            new(
                TinyDecoder.Config with
                {
                    SlidingWindow = window,
                },
                DecoderWeights.Collect(TinyDecoder.Config, name => ones(TinyDecoder.Shape(name)))
            );
    }

    [Fact]
    public void Targets_leave_no_tensor_whole_in_part_or_failed()
    {
        using var decoder = TinyDecoder.Create();
        using var stop = new CancellationTokenSource();
        Use();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Use();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Use()
        {
            using var all = LookaheadTarget.Compute(decoder, Prompts, Responses);
            using var some = all.Select([1]);
            // Its head lost, a model fails when all layers have been kept.
            using var broken = TinyDecoder.Create();
            broken.Weights.Head.Dispose();
            Assert.ThrowsAny<Exception>(() => LookaheadTarget.Compute(broken, Prompts, Responses));
        }
    }

    private static void Close(Tensor expected, Tensor actual) => Assert.True(actual.allclose(expected, 1e-4, 1e-6));

    [Fact]
    public void Behind_a_cache_nothing_is_verified_and_a_cut_short_target_leaves_no_tensor()
    {
        using var decoder = TinyDecoder.Create();
        using (var behind = LookaheadTarget.Behind(decoder, Session(), Responses))
        using (var some = behind.Select([2, 0]))
            Assert.Null(some.IsGreedy);
        Cut();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Cut();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        BatchSession Session() => BatchSession.StartWhole(decoder, Prompts, reserve: 4);

        void Cut() =>
            Assert.Throws<OperationCanceledException>(() =>
                LookaheadTarget.Behind(decoder, Session(), Responses, new CancellationToken(canceled: true))
            );
    }
}
