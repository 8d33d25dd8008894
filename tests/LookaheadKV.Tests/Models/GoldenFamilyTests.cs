using System.Runtime.CompilerServices;
using LookaheadKV.Checkpoints;
using LookaheadKV.Eviction;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Passes;
using Xunit;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Models;

/// <summary>Every family and rotary scaling against transformers (<c>tests/golden/make_families.py</c>; whence others are, they say themselves).</summary>
public sealed class GoldenFamilyTests
{
    public static TheoryData<string> Cases() =>
        [
            "llama",
            "llama-shards",
            "llama-biases",
            "llama-linear",
            "llama-dynamic",
            "llama-llama3",
            "llama-yarn",
            "qwen2",
            "qwen2-yarn",
            "qwen3",
            "qwen3-yarn",
            "mistral",
            "mistral-window",
            "olmo2",
        ];

    [Fact]
    public void Every_golden_folder_is_compared() =>
        Assert.Equal(
            Cases().Select(row => row.Data).Order(),
            Directory.GetDirectories(Root()).Select(folder => Path.GetFileName(folder)!).Order()
        );

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_are_those_of_transformers(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new Golden(name);
        using var decoder = Decoder.Load(golden.Folder);
        var difference = Logits(decoder, golden.Prompt).sub(golden.Logits).abs();
        var size = golden.Logits.abs();
        Assert.True(difference.amax(1).div(size.amax(1)).max().item<float>() <= 1e-4f); // every row
        Assert.True(difference.norm().div(size.norm()).item<float>() <= 1e-5f);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Greedy_continuations_are_those_of_transformers(string name)
    {
        using var golden = new Golden(name);
        using var decoder = Decoder.Load(golden.Folder);
        using var session = Session.Start(decoder, golden.Prompt, EvictionPolicy.Full, reserve: golden.Greedy.Length);
        Assert.Equal(golden.Greedy, session.Generate(golden.Greedy.Length));
    }

    [Fact]
    public void Most_likely_tokens_in_bfloat16_are_those_of_transformers()
    {
        var (same, all) = (0, 0);
        foreach (var name in Cases().Select(row => row.Data).Where(name => name != "olmo2")) // of it there is no golden in bfloat16
        {
            using var scope = NewDisposeScope();
            using var golden = new Golden(name);
            using var decoder = Decoder.Load(golden.Folder, dtype: ScalarType.BFloat16);
            var ours = Logits(decoder, golden.Prompt).argmax(-1).data<long>().Select(id => (int)id);
            var equal = ours.Zip(golden.MostLikelyInBFloat16).Count(pair => pair.First == pair.Second);
            Assert.True(equal >= 0.97 * golden.Prompt.Length, $"{name}: {equal} of {golden.Prompt.Length}");
            (same, all) = (same + equal, all + golden.Prompt.Length);
        }
        Assert.True(same >= 0.99 * all, $"{same} of {all}");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Cached_decoding_equals_one_pass(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new Golden(name);
        using var decoder = Decoder.Load(golden.Folder);
        // Dynamic scaling rotates a prompt for its length: only within the original context are pieces the same as the whole.
        var length = decoder.Config.RopeScaling is RopeScaling.Dynamic dynamic ? dynamic.OriginalPositions : golden.Prompt.Length;
        int[] prompt = golden.Prompt[..length];
        var (begin, piece) = (length / 2, length / 2 - 12);
        using var session = Session.Start(decoder, prompt[..begin], EvictionPolicy.Full, reserve: length);
        var rows = new List<Tensor> { session.NextLogits.clone() };
        rows.Add(session.Append(prompt[begin..(begin + piece)]));
        for (var i = begin + piece; i < length; i++)
            rows.Add(session.Append([prompt[i]]));
        var whole = Logits(decoder, prompt).narrow(0, begin - 1, length - begin + 1);
        Assert.True(cat([.. rows]).allclose(whole, 1e-4, 1e-4));
    }

    private static Tensor Logits(Decoder decoder, IReadOnlyList<int> prompt)
    {
        using var noGrad = no_grad();
        return decoder.Logits(PromptPass.Run(decoder, decoder.Ids(prompt), (_, _) => { }))[0];
    }

    private static string Root([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "../../golden/families");

    private sealed class Golden : IDisposable
    {
        public Golden(string name)
        {
            Folder = Path.Combine(Root(), name);
            using var scope = NewDisposeScope();
            using var file = SafetensorsFile.Open(Path.Combine(Folder, "expected.safetensors"));
            Logits = file.Read("logits").DetachFromDisposeScope();
            (Prompt, Greedy, MostLikelyInBFloat16) = (
                Ints("ids"),
                Ints("greedy"),
                file.Names.Contains("bf16_argmax") ? Ints("bf16_argmax") : []
            );

            int[] Ints(string tensor) => [.. file.Read(tensor).data<int>()];
        }

        public string Folder { get; }
        public Tensor Logits { get; }
        public int[] Prompt { get; }
        public int[] Greedy { get; }
        public int[] MostLikelyInBFloat16 { get; }

        public void Dispose() => Logits.Dispose();
    }
}
