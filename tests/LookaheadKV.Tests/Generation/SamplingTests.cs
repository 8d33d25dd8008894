using LookaheadKV.Generation;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Generation;

public sealed class SamplingTests
{
    private static readonly SamplingOptions[] Settings =
    [
        new() { Temperature = 1 },
        new() { Temperature = 0.3 },
        new() { Temperature = 2.5 },
        new() { Temperature = 1, TopK = 1 },
        new() { Temperature = 1, TopK = 7 },
        new() { Temperature = 1, TopK = 1000 },
        new() { Temperature = 1, TopP = 0.5 },
        new() { Temperature = 0.7, TopP = 0.95 },
        new() { Temperature = 1, TopP = 1e-9 },
        new() { Temperature = 1, MinP = 0.1 },
        new() { Temperature = 1, MinP = 1 },
        new()
        {
            Temperature = 1.3,
            TopK = 9,
            TopP = 0.8,
            MinP = 0.2,
        },
        new()
        {
            Temperature = 0.8,
            TopK = 5,
            TopP = 0.6,
        },
        new()
        {
            Temperature = 3,
            TopP = 0.9,
            MinP = 0.3,
        },
    ];

    [Fact]
    public void WhatIsKeptIsThatOfTheFiltersOneByOne()
    {
        foreach (var logits in Rows(40))
        foreach (var options in Settings)
        {
            var wanted = Reference(logits, options);
            var (tokens, probabilities) = Kept(logits, options);
            Assert.Equal(Enumerable.Range(0, logits.Length).Where(token => wanted[token] > 0), tokens.Order());
            for (var i = 0; i < tokens.Length; i++)
                Assert.Equal(wanted[tokens[i]], probabilities[i], 1e-9);
            Assert.Equal(1, probabilities.Sum(), 1e-9);
            Assert.Equal(probabilities.OrderDescending(), probabilities);
        }
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.999)]
    public void TopPKeepsTheFewestThatReachTheMass(double mass)
    {
        foreach (var logits in Rows(20))
        {
            var all = Kept(logits, new() { Temperature = 1 }).Probabilities;
            var kept = Kept(logits, new() { Temperature = 1, TopP = mass }).Tokens.Length;
            Assert.True(all.Take(kept).Sum() >= mass);
            Assert.True(all.Take(kept - 1).Sum() < mass);
        }
    }

    [Fact]
    public void TopPCountsTheMassThatTopKLeft()
    {
        // Four equal tokens and a fifth: of the two likeliest alone, the first has half of the mass and suffices; of all, it does not.
        float[] logits = [2, 2, 2, 2, 1];
        Assert.Equal([0, 1, 2, 3], Kept(logits, new() { Temperature = 1, TopK = 2 }).Tokens); // as likely as the second
        float[] distinct = [2.0002f, 2.0001f, 2, 1.9999f, 1];
        Assert.Equal(
            [0],
            Kept(
                distinct,
                new()
                {
                    Temperature = 1,
                    TopK = 2,
                    TopP = 0.5,
                }
            ).Tokens
        );
        Assert.Equal([0, 1, 2], Kept(distinct, new() { Temperature = 1, TopP = 0.5 }).Tokens);
    }

    [Fact]
    public void DrawsFollowTheProbabilities()
    {
        foreach (var (row, logits) in Rows(3).Index())
        foreach (var options in Settings)
        {
            using var values = tensor(logits);
            var counts = new int[logits.Length];
            for (var step = 0; step < 2000; step++)
                counts[Sampling.Next(values, options with { Seed = row }, step)]++;
            AssertDrawnFrom(Reference(logits, options), counts);
        }
    }

    [Fact]
    public void RandomNumbersAreUniformOverStepsAndOverSeeds()
    {
        const int Draws = 20_000;
        foreach (
            var number in (Func<int, double>[])[i => Sampling.Uniform(4, i), i => Sampling.Uniform(i, 0), i => Sampling.Uniform(-i, i % 7)]
        )
        {
            var counts = new int[20];
            for (var i = 0; i < Draws; i++)
                counts[(int)(number(i) * counts.Length)]++;
            AssertDrawnFrom([.. counts.Select(_ => 1.0 / counts.Length)], counts);
        }
    }

    /// <summary>SplitMix64, computed elsewhere: a seed's answer is the same in every version.</summary>
    [Theory]
    [InlineData(0, 0, 0.8833108082136426)]
    [InlineData(0, 7, 0.771546556331567)]
    [InlineData(1, 1, 0.37239342287916577)]
    [InlineData(-3, 0, 0.15101375571124676)]
    [InlineData(1L << 40, 7, 0.058148900846350604)]
    public void RandomNumbersAreTheseAndNoOthers(long seed, long step, double number) => Assert.Equal(number, Sampling.Uniform(seed, step));

    [Fact]
    public void ASeedDrawsTheSameAndAnotherSomethingElse()
    {
        using var logits = tensor(Rows(1).First());
        int[] Draw(long seed) =>
            [.. Enumerable.Range(0, 60).Select(step => Sampling.Next(logits, new() { Temperature = 1.5, Seed = seed }, step))];
        Assert.Equal(Draw(1), Draw(1));
        foreach (var seed in (long[])[2, -1, long.MaxValue])
            Assert.NotEqual(Draw(1), Draw(seed));
        // The sequences of neighbouring seeds are not one sequence, shifted.
        Assert.NotEqual(Draw(1)[1..], Draw(2)[..^1]);
    }

    [Fact]
    public void TheTypeAndShapeOfTheLogitsDoNotMatter()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(Rows(1).First()).to(ScalarType.BFloat16);
        var options = new SamplingOptions
        {
            Temperature = 1,
            TopP = 0.9,
            Seed = 5,
        };
        for (var step = 0; step < 50; step++)
        {
            var token = Sampling.Next(logits, options, step);
            Assert.Equal(token, Sampling.Next(logits.to(ScalarType.Float32).unsqueeze(0), options, step));
        }
    }

    [Fact]
    public void ColdSamplingIsGreedy()
    {
        foreach (var row in Rows(20))
        {
            using var logits = tensor(row);
            var best = Array.IndexOf(row, row.Max());
            Assert.Equal(best, Sampling.Next(logits, SamplingOptions.Greedy, 0));
            foreach (var temperature in (double[])[1e-300, 1e-9, 1e-4])
                Assert.Equal(best, Sampling.Next(logits, new() { Temperature = temperature, Seed = 3 }, 9));
        }
    }

    [Fact]
    public void WhatCannotComeNeverComes()
    {
        float[] logits = [float.NegativeInfinity, -200, 0, float.NegativeInfinity];
        Assert.Equal([2, 1], Kept(logits, new() { Temperature = 1 }).Tokens);
        Assert.Equal([2], Kept(logits, new() { Temperature = 0.01 }).Tokens); // e^-20000 is 0
    }

    [Fact]
    public void TokensAtAFiltersEdgeStayAsItSays()
    {
        // Four halves of a half: two of them are the mass, no third one is needed.
        Assert.Equal([0, 1], Kept([0, 0, 0, 0], new() { Temperature = 1, TopP = 0.5 }).Tokens);
        // As likely as the likeliest is likely enough.
        Assert.Equal([0, 1], Kept([2, 2, 1], new() { Temperature = 1, MinP = 1 }).Tokens);
        // The ends of each range are in it, and keep everything, or one.
        Assert.Equal(
            3,
            Kept(
                [2, 2, 1],
                new()
                {
                    Temperature = 1,
                    TopP = 1,
                    MinP = 0,
                }
            ).Tokens.Length
        );
        Assert.Equal([1], Kept([1, 2, 0], new() { Temperature = 1, TopK = 1 }).Tokens);
    }

    [Fact]
    public void LargeLogitsDoNotOverflow()
    {
        var (tokens, probabilities) = Kept([799, 800], new() { Temperature = 1 });
        Assert.Equal([1, 0], tokens);
        Assert.Equal(1 / (1 + Math.Exp(-1)), probabilities[0], 1e-9);
    }

    [Fact]
    public void LeavesNoTensorBehind()
    {
        using var logits = tensor(Rows(1).First());
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var step = 0; step < 20; step++)
            foreach (var options in Settings.Append(SamplingOptions.Greedy))
                Sampling.Next(logits, options, step);
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
    }

    [Fact]
    public void RefusesWhatIsOutOfRange()
    {
        Refused(() => new() { Temperature = -0.5 }, "temperature -0.5");
        Refused(() => new() { Temperature = double.NaN }, "temperature NaN");
        Refused(() => new() { Temperature = double.PositiveInfinity }, "temperature");
        Refused(() => new() { TopK = 0 }, "top-k 0");
        Refused(() => new() { TopP = 0 }, "top-p 0");
        Refused(() => new() { TopP = 1.01 }, "top-p 1.01");
        Refused(() => new() { MinP = -0.1 }, "min-p -0.1");
        Refused(() => new() { MinP = 2 }, "min-p 2");
        Refused(() => new() { Temperature = 1 }, "NaN", [0, float.NaN, 1]);
        Refused(() => new() { Temperature = 1 }, "logit", [0, float.PositiveInfinity]);
        Refused(() => new() { Temperature = 1 }, "logit", [float.NegativeInfinity]);

        static void Refused(Func<SamplingOptions> options, string named, params float[] row)
        {
            using var logits = tensor(row.Length == 0 ? [1f, 2f] : row);
            Assert.Contains(named, Assert.Throws<InputException>(() => Sampling.Next(logits, options(), 0)).Message);
        }
    }

    private static void AssertDrawnFrom(double[] probabilities, int[] counts)
    {
        // Chi-square over the tokens that are expected often enough, against its mean and six standard deviations.
        var draws = counts.Sum();
        var often = Enumerable.Range(0, counts.Length).Where(token => probabilities[token] * draws >= 5).ToArray();
        var square = often.Sum(token => Math.Pow(counts[token] - (probabilities[token] * draws), 2) / (probabilities[token] * draws));
        Assert.True(square <= often.Length + (6 * Math.Sqrt(2 * often.Length)), $"chi-square {square} of {often.Length} tokens");
        Assert.All(counts.Index(), entry => Assert.True(probabilities[entry.Index] > 0 || entry.Item == 0));
    }

    private static (int[] Tokens, double[] Probabilities) Kept(float[] row, SamplingOptions options)
    {
        using var logits = tensor(row);
        return Sampling.Kept(logits, options);
    }

    private static IEnumerable<float[]> Rows(int count)
    {
        var random = new Random(8);
        for (var i = 0; i < count; i++)
        {
            var spread = random.NextDouble() * 5;
            yield return [.. Enumerable.Range(0, random.Next(2, 60)).Select(_ => (float)(spread * (random.NextDouble() - 0.5) * 4))];
        }
    }

    /// <summary>Each filter by itself, on a plain array: it sets to zero what it takes away, and the rest is normalized again.</summary>
    private static double[] Reference(float[] logits, SamplingOptions options)
    {
        var p = Normalized([.. logits.Select(logit => Math.Exp(((double)logit - logits.Max()) / options.Temperature))]);
        if (options.TopK is { } k && k < p.Length)
        {
            var least = p.OrderDescending().ElementAt(k - 1);
            p = Normalized([.. p.Select(value => value >= least ? value : 0)]);
        }

        // A token stays while those that are likelier have not reached the mass.
        var before = p;
        if (options.TopP < 1)
            p = Normalized([.. p.Select((value, token) => Likelier(token) < options.TopP ? value : 0)]);
        var most = p.Max();
        return Normalized([.. p.Select(value => value >= options.MinP * most ? value : 0)]);

        double Likelier(int token) =>
            before.Index().Where(o => o.Item > before[token] || (o.Item == before[token] && o.Index < token)).Sum(o => o.Item);
    }

    private static double[] Normalized(double[] weights) => [.. weights.Select(weight => weight / weights.Sum())];
}
