using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Text;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests;

/// <summary>The same on a GPU; skipped, visibly, where there is none.</summary>
public class CudaTests
{
    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void The_shipped_model_answers_on_an_evicted_cache(ScalarType dtype)
    {
        Assert.SkipUnless(cuda.is_available(), "no CUDA device");
        var folder = ModelFolders.Resolve("nano");
        using var decoder = Decoder.Load(folder, CUDA, dtype);
        using var modules = LookaheadFiles.Load(Path.Combine(folder, ModelFolders.LookaheadFolder), decoder.Config, CUDA);
        var tokenizer = Tokenizer.Load(folder);
        var prompt = tokenizer.Encode(
            "<|begin|>Text: It snowed. Toko Casan's code is 483. The fog passed.\nQuestion: What is Toko Casan's code?\nAnswer:"
        );
        using var session = Session.Start(decoder, prompt, Policies.Lookahead(modules).With(Budget.Tokens(20)));
        Assert.Equal(" 483", tokenizer.Decode(session.Generate(8), skipSpecial: true));
        Assert.Equal(DeviceType.CUDA, session.Cache.Layers[0].Keys.device_type);
    }
}
