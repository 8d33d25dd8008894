using LookaheadKV.Budgeting;
using LookaheadKV.Evaluation.Speed;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Speed;

/// <summary>What can be counted of a prediction is what is counted; the rest is held against a GPU in docs/results/speed.md.</summary>
public class PrefillMemoryTests
{
    [Theory]
    [InlineData(20, 5, 3)]
    [InlineData(12, 12, 0)]
    [InlineData(9, 1, 8)]
    public void Weights_cache_and_the_full_layer_are_the_counted_ones(int length, int kept, int reserve)
    {
        using var decoder = TinyDecoder.Create();
        int[] prompt = [.. Enumerable.Range(1, length).Select(i => i % 7)];
        using var session = Session.Start(decoder, prompt, KeyNorm.Method.Policy().With(Budget.Tokens(kept)), reserve);
        var predicted = PrefillMemory.Predict(decoder.Config, length, 0, kept, reserve, sizeof(float));
        Assert.Equal(decoder.Weights.All.Sum(weight => weight.NumberOfElements * sizeof(float)), predicted.Weights);
        Assert.Equal(session.Cache.StorageBytes + session.Cache.PositionBytes, predicted.Cache);
        Assert.Equal(session.Cache.StorageBytes + predicted.FullLayer, session.Report.PeakCacheBytes);
        Assert.Equal(predicted.Weights + predicted.Cache + predicted.FullLayer + predicted.Activations, predicted.Total); // no observers
    }

    [Fact]
    public void Of_long_prompts_attention_needs_more_than_a_chunk()
    {
        var predicted = PrefillMemory.Predict(ModelShapes.Find("llama-3.1-8b"), 131_072, 0, 128, 0, 2);
        Assert.Equal(2 * 131_072L * (4_096 + 2 * 4_096), predicted.Activations);
    }

    // By hand for 8B's shape: rows × (4,096 + 4,096) numbers, and the chunk's rows × (4,096 + 2 × 14,336); 2 bytes each.
    [Theory]
    [InlineData(8_192, 32, 8_224)]
    [InlineData(32_768, 32, 8_224)]
    [InlineData(16_383, 0, 16_383)]
    [InlineData(16_384, 0, 8_192)]
    [InlineData(20_000, 0, 11_808)]
    public void Activations_are_those_of_a_layer_and_a_chunk(int length, int observers, long chunk)
    {
        var predicted = PrefillMemory.Predict(ModelShapes.Find("llama-3.1-8b"), length, observers, 128, 0, 2);
        Assert.Equal(2 * ((length + observers) * 8_192L + chunk * 32_768L), predicted.Activations);
        Assert.Equal(4L * observers * 32 * (length + observers), predicted.Scoring); // 32 heads, float32
    }
}
