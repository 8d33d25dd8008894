using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Tests.Models;
using TorchSharp;
using Xunit;

namespace LookaheadKV.Tests.Lookahead;

/// <summary>Modules on disk: what is written is read, under PEFT's names, and what does not fit is refused.</summary>
public sealed class LookaheadFilesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(3, 2)]
    [InlineData(5, 0)]
    public void A_module_comes_back_bit_for_bit(int tokens, int rank)
    {
        var settings = new LookaheadSettings
        {
            Tokens = tokens,
            Rank = rank,
            Alpha = 6,
            Targets = rank == 0 ? LinearNames.All : [LinearName.Query, LinearName.Down],
        };
        using var module = LookaheadModule.Create(TinyDecoder.Config, settings, seed: 9);
        LookaheadFiles.Save(module, _folder);
        using var read = LookaheadFiles.Load(_folder, TinyDecoder.Config);
        Assert.Equal(settings with { Targets = [] }, read.Settings with { Targets = [] });
        Assert.Equal(settings.Targets, read.Settings.Targets);
        Assert.Equal(module.Parameters.Count, read.Parameters.Count);
        Assert.All(module.Parameters.Zip(read.Parameters), pair => Assert.True(pair.First.eq(pair.Second).all().item<bool>()));
    }

    [Fact]
    public void Names_are_those_of_peft_and_the_last_layer_has_only_query_and_key()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 1 });
        LookaheadFiles.Save(module, _folder);
        using var file = SafetensorsFile.Open(Path.Combine(_folder, "adapter_model.safetensors"));
        Assert.Contains("lookahead_embeddings", file.Names);
        Assert.Contains("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight", file.Names);
        string[] last = [.. file.Names.Where(name => name.Contains("layers.1.", StringComparison.Ordinal))];
        Assert.Equal(4, last.Length);
        Assert.All(last, name => Assert.Matches(@"self_attn\.[qk]_proj\.lora_[AB]\.weight$", name));
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "adapter_config.json")));
        string[] excluded = [.. config.RootElement.GetProperty("exclude_modules").EnumerateArray().Select(e => e.GetString()!)];
        string[] paths = ["self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
        Assert.Equal(paths.Select(path => "model.layers.1." + path), excluded);
    }

    [Fact]
    public void A_missing_module_says_how_to_make_one() =>
        Assert.Contains("lookahead train", Assert.Throws<InputException>(() => LookaheadFiles.Load(_folder, TinyDecoder.Config)).Message);

    [Fact]
    public void A_module_of_another_model_is_refused()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config);
        LookaheadFiles.Save(module, _folder);
        var wider = TinyDecoder.Config with { Width = 16 };
        Assert.Contains("another model", Assert.Throws<InputException>(() => LookaheadFiles.Load(_folder, wider)).Message);
    }

    [Fact]
    public void A_module_with_nan_is_refused()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config);
        using (torch.no_grad())
            module.Embeddings[0, 0] = float.NaN;
        LookaheadFiles.Save(module, _folder);
        Assert.Contains("NaN", Assert.Throws<InputException>(() => LookaheadFiles.Load(_folder, TinyDecoder.Config)).Message);
    }
}
