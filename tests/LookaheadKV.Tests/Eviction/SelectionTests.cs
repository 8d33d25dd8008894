using LookaheadKV.Eviction;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Eviction;

public sealed class SelectionTests
{
    /// <summary>Positions of a head by rank: protected ones, then the larger score, then the lower position.</summary>
    private static IEnumerable<int> Ranked(float[] scores, Func<int, bool> held) =>
        Enumerable.Range(0, scores.Length).OrderBy(p => held(p) ? 0 : 1).ThenByDescending(p => scores[p]).ThenBy(p => p);

    /// <summary>Slots that heads compete for: every head is sure of its first <paramref name="own"/>, the rest go to the best left anywhere.</summary>
    private static long[][] Pool(float[][] heads, int total, int own, Func<int, bool> held)
    {
        var kept = heads.Select(scores => Ranked(scores, held).Take(own).ToHashSet()).ToArray();
        var left =
            from h in Enumerable.Range(0, heads.Length)
            from p in Enumerable.Range(0, heads[h].Length)
            where !kept[h].Contains(p)
            orderby heads[h][p] descending, p, h
            select (h, p);
        foreach (var (h, p) in left.Take(total - own * heads.Length).ToArray())
            kept[h].Add(p);
        return [.. kept.Select(set => set.Order().Select(p => (long)p).ToArray())];
    }

    private sealed record Case(float[][][] Scores, int Length, int Heads, Protection Protection, Func<int, bool> Held, int HeldCount)
    {
        public Tensor Tensor()
        {
            using var scope = NewDisposeScope();
            return tensor(Scores.SelectMany(row => row.SelectMany(head => head)).ToArray())
                .reshape(Scores.Length, Heads, Length)
                .MoveToOuterDisposeScope();
        }
    }

    // Few, so that many tie; and beyond any number that could stand for "protected".
    private static readonly float[] Values = [-2, -1, 0, 0, 0, 1, 1, 2, float.MaxValue, float.PositiveInfinity, float.NegativeInfinity];

    /// <summary>Small random cases in which many scores tie and first, last and single positions are protected.</summary>
    private static IEnumerable<(Case Case, Random Random)> Cases()
    {
        var random = new Random(11);
        for (var i = 0; i < 60; i++)
        {
            var (rows, heads, length) = (random.Next(1, 3), random.Next(1, 4), random.Next(1, 14));
            var (first, last) = (random.Next(0, 3), random.Next(0, 3));
            int[] given = [.. Enumerable.Range(0, random.Next(0, 3)).Select(_ => random.Next(0, 20))];
            var protection = Protection.Positions(given) with { First = first, Last = last };
            bool Held(int p) => p < first || p >= length - last || given.Contains(p);
            var scores = Enumerable
                .Range(0, rows)
                .Select(_ =>
                    Enumerable
                        .Range(0, heads)
                        .Select(_ => Enumerable.Range(0, length).Select(_ => Values[random.Next(Values.Length)]).ToArray())
                        .ToArray()
                )
                .ToArray();
            yield return (new(scores, length, heads, protection, Held, Enumerable.Range(0, length).Count(Held)), random);
        }
    }

    [Fact]
    public void Top_keeps_what_a_plain_sort_keeps()
    {
        foreach (var (c, random) in Cases())
        {
            using var scores = c.Tensor();
            var count = random.Next(Math.Max(1, c.HeldCount), c.Length + 1);
            using var kept = Selection.Top(scores, count, c.Protection);
            Assert.Equal([c.Scores.Length, c.Heads, count], kept.Positions.shape);
            for (var row = 0; row < c.Scores.Length; row++)
                Assert.Equal(
                    c.Scores[row].Select(head => Ranked(head, c.Held).Take(count).Order().Select(p => (long)p).ToArray()),
                    kept.ToArrays(row)
                );
        }
    }

    [Fact]
    public void Shared_slots_go_to_the_best_of_all_heads()
    {
        foreach (var (c, random) in Cases())
        {
            using var scores = c.Tensor();
            var count = random.Next(Math.Max(1, c.HeldCount), c.Length + 1);
            var quarters = random.Next(0, 5);
            using var kept = Selection.Shared(scores, count, c.Protection, quarters / 4.0);
            var own = c.HeldCount + quarters * (count - c.HeldCount) / 4;
            for (var row = 0; row < c.Scores.Length; row++)
                Assert.Equal(Pool(c.Scores[row], c.Heads * count, own, c.Held), kept.ToArrays(row));
        }
    }

    [Fact]
    public void A_global_pool_goes_over_layers_of_any_number_of_heads()
    {
        foreach (var (c, random) in Cases())
        {
            using var scope = NewDisposeScope();
            var all = c.Tensor();
            long[] heads = c.Heads == 1 ? [1] : [1, c.Heads - 1];
            var total = random.Next(Math.Max(1, c.HeldCount * c.Heads), c.Length * c.Heads + 1);
            var quarters = random.Next(0, 5);
            var kept = Selection.Global(all.split(heads, 1), total, c.Protection, quarters / 4.0);
            var own = c.HeldCount + (int)Math.Floor(quarters / 4.0 * ((double)total / c.Heads - c.HeldCount));
            for (var row = 0; row < c.Scores.Length; row++)
                Assert.Equal(Pool(c.Scores[row], total, own, c.Held), kept.SelectMany(layer => layer.ToArrays(row)));
            foreach (var set in kept)
                set.Dispose();
        }
    }

    [Fact]
    public void Without_a_floor_a_head_of_a_global_pool_may_keep_nothing()
    {
        using var scope = NewDisposeScope();
        var kept = Selection.Global([tensor(new float[] { 1, 2, 3 }).view(1, 1, 3), tensor(new float[] { 4, 5, 0 }).view(1, 1, 3)], 2);
        Assert.Equal(
            [
                [],
            ],
            kept[0].ToArrays()
        );
        Assert.Equal(
            [
                [0L, 1L],
            ],
            kept[1].ToArrays()
        );
        foreach (var set in kept)
            set.Dispose();
    }

    [Fact]
    public void All_is_every_position_of_every_head()
    {
        using var scope = NewDisposeScope();
        using var all = Selection.All(2, 3, 4, CPU);
        Assert.True(all.IsRectangular);
        for (var row = 0; row < 2; row++)
            Assert.Equal(Enumerable.Repeat(new long[] { 0, 1, 2, 3 }, 3), all.ToArrays(row));
    }

    [Fact]
    public void Budgets_out_of_range_are_refused()
    {
        using var scope = NewDisposeScope();
        var scores = zeros(1, 2, 6);
        var five = new Protection(2, 3);
        foreach (
            var select in new Func<long, Protection?, KeptSet>[]
            {
                (count, held) => Selection.Top(scores, count, held),
                (count, held) => Selection.Shared(scores, count, held),
            }
        )
        {
            Refused("budget 0 is outside 1..6", () => select(0, null));
            Refused("budget 7 is outside 1..6", () => select(7, null));
            Refused("budget 4 cannot hold the 5 protected tokens (first 2, last 3); give at least 5", () => select(4, five));
            select(5, five).Dispose();
            select(1, null).Dispose();
            select(6, five).Dispose();
        }
        Refused("budget 0 is outside 1..24", () => Selection.Global([scores, scores], 0));
        Refused("budget 25 is outside 1..24", () => Selection.Global([scores, scores], 25));
        Refused("budget 19 is outside 20..24", () => Selection.Global([scores, scores], 19, five));
        foreach (var total in new[] { 20, 24 })
            Assert.Equal(total, Selection.Global([scores, scores], total, five).Sum(set => set.Total));
        foreach (var floor in new[] { -0.1, 1.1, double.NaN })
            Refused("outside 0..1", () => Selection.Shared(scores, 3, null, floor));
    }

    [Fact]
    public void A_score_that_is_not_a_number_has_no_rank()
    {
        using var scope = NewDisposeScope();
        var scores = tensor(new[] { 1, float.NaN, 2 }).view(1, 1, 3);
        Refused("NaN", () => Selection.Top(scores, 2));
        Refused("NaN", () => Selection.Shared(scores, 2));
        Refused("NaN", () => Selection.Global([scores], 2));
    }

    [Fact]
    public void A_refused_selection_leaves_no_tensor()
    {
        using var scores = tensor(new[] { 1, float.NaN, 2 }, [1, 1, 3]);
        Refuse(); // the first call may compile operators
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Refuse();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Refuse()
        {
            Refused("NaN", () => Selection.Top(scores, 2));
            Refused("NaN", () => Selection.Shared(scores, 2));
            Refused("outside 1..3", () => Selection.Top(scores, 4));
        }
    }

    private static void Refused(string message, Func<object> select)
    {
        var error = Assert.Throws<InputException>(() =>
        {
            _ = select();
        });
        Assert.Contains(message, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }
}
