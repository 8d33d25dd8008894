using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>
/// Draws the next token from logits. A repetition penalty comes first, then the filters in the order of transformers: temperature, then top-k, then top-p, then min-p, each on
/// the probabilities that the one before left. All of them keep the first tokens of the order by probability (ties: the lower id), so they
/// are cuts of one sorted list, made on the host in float64: what is drawn depends on the logits' values and the seed alone.
/// </summary>
public static class Sampling
{
    /// <summary>The tokens that the filters keep and their probabilities, the most likely first.</summary>
    /// <param name="logits">Logits of one position, [V] or [1, V], any float type; -inf for what cannot come.</param>
    /// <param name="options">The filters; the temperature is above 0.</param>
    /// <exception cref="InputException">An option is out of its range, or a logit is NaN or +inf.</exception>
    public static (int[] Tokens, double[] Probabilities) Kept(Tensor logits, SamplingOptions options)
    {
        if (options.Temperature == 0)
            throw new InputException("temperature 0 has no probabilities; take the most likely token, or give a temperature above 0.");
        var (tokens, values) = Sorted(logits);
        var count = options.TopK is { } k && k < values.Length ? CountWhile(values, value => value >= values[k - 1]) : values.Length;
        var probabilities = Softmax(values.AsSpan(0, count), options.Temperature);
        if (options.TopP < 1)
            probabilities = Normalized(probabilities.AsSpan(0, CountBelow(probabilities, options.TopP)));
        // A probability that is 0 is never drawn, not even where rounding leaves the sum below the random number.
        var least = options.MinP * probabilities[0];
        probabilities = Normalized(probabilities.AsSpan(0, CountWhile(probabilities, p => p >= least && p > 0)));
        return (tokens[..probabilities.Length], probabilities);
    }

    /// <summary>The next token.</summary>
    /// <param name="logits">Logits of one position, [V] or [1, V].</param>
    /// <param name="options">How it is drawn.</param>
    /// <param name="step">How many tokens were drawn before: each step of a seed has a random number of its own.</param>
    /// <param name="before">The tokens of prompt and answer so far, which a repetition penalty looks at; null: none.</param>
    /// <exception cref="InputException">An option is out of its range, or a logit is NaN or +inf.</exception>
    public static int Next(Tensor logits, SamplingOptions options, long step, IReadOnlyList<int>? before = null)
    {
        using var scope = NewDisposeScope();
        logits = Penalised(logits, options.RepetitionPenalty, before ?? []);
        if (options.Temperature == 0)
            return MostLikely(logits);
        var (tokens, probabilities) = Kept(logits, options);
        var left = Uniform(options.Seed, step);
        for (var i = 0; i < tokens.Length - 1; i++)
        {
            left -= probabilities[i];
            if (left < 0)
                return tokens[i];
        }

        return tokens[^1];
    }

    /// <summary>The random number of a step, uniform over [0, 1): SplitMix64 at the step-th place of the seed's sequence.</summary>
    internal static double Uniform(long seed, long step)
    {
        // The seed is mixed first, or neighbouring seeds would share one sequence, shifted.
        var place = Mix((ulong)seed) + (((ulong)step + 1) * 0x9E3779B97F4A7C15);
        return (Mix(place) >> 11) * (1.0 / (1UL << 53));
    }

    /// <summary>The most likely token of logits [1, vocabulary] or [vocabulary]; nothing of it stays behind, also where the logits are on a GPU.</summary>
    internal static int MostLikely(Tensor logits)
    {
        using var scope = NewDisposeScope();
        return (int)logits.argmax(-1).item<long>();
    }

    // A token that comes several times is penalised once: all its places get the same number.
    private static Tensor Penalised(Tensor logits, double penalty, IReadOnlyList<int> before)
    {
        if (penalty == 1 || before.Count == 0)
            return logits;
        var places = tensor([.. before.Select(token => (long)token)], device: logits.device);
        var values = logits.reshape(-1).to(ScalarType.Float32, copy: true);
        var old = values.index_select(0, places);
        return values.index_copy_(0, places, where(old < 0, old * penalty, old / penalty));
    }

    private static (int[] Tokens, double[] Values) Sorted(Tensor logits)
    {
        using var scope = NewDisposeScope();
        var (values, order) = logits.reshape(-1).to(ScalarType.Float32).sort(dim: 0, descending: true, stable: true);
        var sorted = values.cpu().data<float>().ToArray();
        // A NaN sorts as the largest.
        if (!float.IsFinite(sorted[0]))
            throw new InputException(
                $"the largest logit is {sorted[0]}: nothing can be drawn; check the model's weights, or compute in float32."
            );
        return ([.. order.cpu().data<long>().Select(token => (int)token)], Array.ConvertAll(sorted, value => (double)value));
    }

    /// <summary>Probabilities of descending values.</summary>
    private static double[] Softmax(ReadOnlySpan<double> values, double temperature)
    {
        var weights = new double[values.Length];
        for (var i = 0; i < weights.Length; i++)
            weights[i] = Math.Exp((values[i] - values[0]) / temperature);
        return Normalized(weights);
    }

    private static double[] Normalized(ReadOnlySpan<double> weights)
    {
        var total = 0.0;
        foreach (var weight in weights)
            total += weight;
        var shares = weights.ToArray();
        for (var i = 0; i < shares.Length; i++)
            shares[i] /= total;
        return shares;
    }

    private static int CountWhile(double[] values, Func<double, bool> holds)
    {
        var count = 1; // the most likely token always stays
        while (count < values.Length && holds(values[count]))
            count++;
        return count;
    }

    /// <summary>How many tokens it takes until their probabilities reach <paramref name="mass"/>.</summary>
    private static int CountBelow(double[] probabilities, double mass)
    {
        var sum = 0.0;
        var count = 0;
        while (count < probabilities.Length && sum < mass)
            sum += probabilities[count++];
        return count;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
