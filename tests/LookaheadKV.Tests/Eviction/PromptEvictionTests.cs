using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Models;
using LookaheadKV.Scoring;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Eviction;

/// <summary>From scores to kept positions, by each way to divide a budget; the expected sets are worked out by hand.</summary>
public sealed class PromptEvictionTests
{
    // Two layers of two heads over six positions.
    private static readonly float[][][] Scores =
    [
        [
            [9, 8, 1, 1, 0, 0],
            [2, 0, 3, 0, 4, 0],
        ],
        [
            [0, 7, 0, 6, 0, 5],
            [0, 0, 1, 1, 1, 0],
        ],
    ];

    private static Tensor[] Layers() => [.. Scores.Select(heads => tensor(heads.SelectMany(head => head).ToArray()).view(1, 2, 6))];

    private static long[][][] Kept(EvictionPolicy policy, long entries)
    {
        using var scope = NewDisposeScope();
        var sets = PromptEviction.Select(policy, Layers(), entries);
        try
        {
            return [.. sets.Select(set => set.ToArrays())];
        }
        finally
        {
            foreach (var set in sets)
                set.Dispose();
        }
    }

    private static EvictionPolicy Policy(LayerAllocation layers, HeadAllocation heads) =>
        new()
        {
            Name = "given",
            Layers = layers,
            Heads = heads,
        };

    private static void Same(long[][][] expected, long[][][] actual) =>
        Assert.Equal(expected.SelectMany(layer => layer), actual.SelectMany(layer => layer));

    [Fact]
    public void Even_layers_and_heads_keep_the_top_of_each_head()
    {
        Same(
            [
                [
                    [0, 1],
                    [2, 4],
                ],
                [
                    [1, 3],
                    [2, 3],
                ],
            ],
            Kept(Policy(LayerAllocation.Uniform, HeadAllocation.Uniform), 4)
        );
        // Five entries a head over two layers: the lower layer has one more.
        Same(
            [
                [
                    [0, 1, 2],
                    [0, 2, 4],
                ],
                [
                    [1, 3],
                    [2, 3],
                ],
            ],
            Kept(Policy(LayerAllocation.Uniform, HeadAllocation.Uniform), 5)
        );
    }

    [Fact]
    public void Adaptive_heads_give_a_layers_slots_to_its_best_scores() =>
        // A floor of nothing: four slots a layer.
        Same(
            [
                [
                    [0, 1],
                    [2, 4],
                ],
                [
                    [1, 3, 5],
                    [2],
                ],
            ],
            Kept(Policy(LayerAllocation.Uniform, new HeadAllocation.Adaptive(0)), 4)
        );

    [Fact]
    public void An_adaptive_floor_is_what_each_head_is_sure_of() =>
        Same(
            [
                [
                    [0, 1],
                    [2, 4],
                ],
                [
                    [1, 3],
                    [2, 3],
                ],
            ],
            Kept(Policy(LayerAllocation.Uniform, new HeadAllocation.Adaptive(1)), 4)
        );

    [Fact]
    public void A_pyramid_keeps_more_below() =>
        // Beside one entry each, a mean of 1: β = 2 gives ½ above and 1½ below, the odd half to the lower layer.
        Same(
            [
                [
                    [0, 1, 2],
                    [0, 2, 4],
                ],
                [
                    [1],
                    [2],
                ],
            ],
            Kept(Policy(new LayerAllocation.Pyramid(2), HeadAllocation.Uniform), 4)
        );

    [Fact]
    public void A_global_pool_gives_all_slots_to_the_best_scores_anywhere()
    {
        Same(
            [
                [
                    [0, 1],
                    [4],
                ],
                [
                    [1, 3, 5],
                    [],
                ],
            ],
            Kept(Policy(new LayerAllocation.Global(), HeadAllocation.Uniform), 3)
        );
        var held = Policy(new LayerAllocation.Global(), HeadAllocation.Uniform) with { Protection = Protection.LastTokens(1) };
        Same(
            [
                [
                    [0, 1, 5],
                    [5],
                ],
                [
                    [1, 3, 5],
                    [5],
                ],
            ],
            Kept(held, 4)
        );
    }

    [Fact]
    public void What_is_protected_takes_part_in_every_division()
    {
        var even = Policy(LayerAllocation.Uniform, HeadAllocation.Uniform) with { Protection = Protection.Positions(4) };
        Same(
            [
                [
                    [0, 4],
                    [2, 4],
                ],
                [
                    [1, 4],
                    [2, 4],
                ],
            ],
            Kept(even, 4)
        );
        // With two held, a mean of 1 beside them: 1½ below and ½ above.
        var pyramid = Policy(new LayerAllocation.Pyramid(2), HeadAllocation.Uniform) with
        {
            Protection = new Protection(1, 1),
        };
        Same(
            [
                [
                    [0, 1, 2, 5],
                    [0, 2, 4, 5],
                ],
                [
                    [0, 5],
                    [0, 5],
                ],
            ],
            Kept(pyramid, 6)
        );
    }

    [Fact]
    public void Scores_are_reduced_and_pooled_for_every_layer()
    {
        using var scope = NewDisposeScope();
        var rows = new LayerRows(zeros(1, 2, 6, 3), zeros(1, 1, 6, 3), zeros(1, 1, 6, 3));
        var policy = Policy(LayerAllocation.Uniform, HeadAllocation.Uniform) with
        {
            Scorer = new Given(Layers()),
            Group = GroupReduction.Max,
            Pooling = Pooling.Max(3),
        };
        var prompt = new WholePrompt(new PromptContext(null!, zeros(1, 6), new(() => [])), [rows, rows], 0);
        var shaped = PromptEviction.Scores(policy, (IWholePromptScorer)policy.Scorer, prompt, 3);
        Assert.Equal([9, 9, 8, 4, 4, 4], shaped[0].data<float>().ToArray());
        Assert.Equal([7, 7, 7, 6, 6, 5], shaped[1].data<float>().ToArray());
        Assert.All(shaped, layer => Assert.Equal([1, 1, 6], layer.shape));
    }

    /// <summary>Scores that are given.</summary>
    private sealed record Given(Tensor[] Layers) : IWholePromptScorer
    {
        public string Name => "given";

        public bool ReadsBudget => false;

        public IReadOnlyList<Tensor> Score(WholePrompt prompt, long count) => Layers;
    }
}
