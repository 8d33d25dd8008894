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
            Rows = RowReduction.Max,
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

    [Fact]
    public void Settings_and_training_are_written_for_peft_and_for_the_reader()
    {
        var settings = new LookaheadSettings
        {
            Tokens = 2,
            Rank = 4,
            Alpha = 6,
            EmbeddingStd = 0.5,
            Targets = [LinearName.Query, LinearName.Down],
        };
        using var module = LookaheadModule.Create(TinyDecoder.Config, settings);
        LookaheadFiles.Save(module, _folder, new Dictionary<string, object> { ["steps"] = 7 });
        Assert.All(["adapter_config.json", "lookahead.json"], file => Assert.StartsWith("{\n  \"", Text(file))); // for people to read
        Assert.Equal(
            """{"peft_type":"LORA","task_type":"CAUSAL_LM","r":4,"lora_alpha":6,"lora_dropout":0,"bias":"none","target_modules":["q_proj","down_proj"],"exclude_modules":["model.layers.1.mlp.down_proj"],"inference_mode":true}""",
            Json("adapter_config.json")
        );
        Assert.Equal(
            """{"tokens":2,"rank":4,"alpha":6,"targets":["self_attn.q_proj","mlp.down_proj"],"embedding_std":0.5,"rows":"mean","training":{"steps":7}}""",
            Json("lookahead.json")
        );
        using var file = SafetensorsFile.Open(Path.Combine(_folder, "adapter_model.safetensors"));
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void A_folder_that_is_not_there_is_made()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config);
        var folder = Path.Combine(_folder, "a", "b");
        LookaheadFiles.Save(module, folder);
        using var read = LookaheadFiles.Load(folder, TinyDecoder.Config);
        Assert.Equal(module.Parameters.Count, read.Parameters.Count);
    }

    /// <summary>PEFT knows no rank of 0: a module of tokens alone is written as rank 1 of no map.</summary>
    [Fact]
    public void A_module_without_pairs_is_rank_one_for_peft()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 0 });
        LookaheadFiles.Save(module, _folder);
        Assert.Contains("\"r\":1,", Json("adapter_config.json"));
        Assert.Contains("\"rank\":0,", Json("lookahead.json"));
    }

    [Fact]
    public void Settings_that_older_modules_lack_are_the_papers_and_ours()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 1 });
        LookaheadFiles.Save(module, _folder);
        Settings("""{"tokens": 2, "rank": 1, "targets": TARGETS}""");
        using var read = LookaheadFiles.Load(_folder, TinyDecoder.Config);
        Assert.Equal((32, 0.02), (read.Settings.Alpha, read.Settings.EmbeddingStd));
    }

    [Theory]
    [InlineData("{", "not JSON")]
    [InlineData("""{"tokens": 2, "targets": TARGETS}""", "rank is missing")]
    [InlineData("""{"rank": 1, "targets": TARGETS}""", "tokens")]
    [InlineData(
        """{"tokens": 2, "rank": 1, "targets": ["self_attn.x_proj"]}""",
        "unknown target \"self_attn.x_proj\"; allowed: self_attn.q_proj, "
    )]
    [InlineData(
        """{"tokens": 2, "rank": 1, "targets": [], "rows": "least"}""",
        "unknown reduction of rows \"least\"; allowed: mean, max, power"
    )]
    public void Broken_settings_are_named_with_their_file(string json, string part)
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 1 });
        LookaheadFiles.Save(module, _folder);
        Settings(json);
        var message = Assert.Throws<InputException>(() => LookaheadFiles.Load(_folder, TinyDecoder.Config)).Message;
        Assert.StartsWith(Path.Combine(_folder, "lookahead.json"), message);
        Assert.Contains(part, message);
        Assert.Single(message.Split('\n'));
    }

    /// <summary>Parameters that the settings name and the file lacks: as many pairs as a model with one layer more has.</summary>
    [Fact]
    public void A_module_that_lacks_a_parameter_is_refused_and_leaves_no_tensor()
    {
        using var module = LookaheadModule.Create(TinyDecoder.Config, new LookaheadSettings { Tokens = 2, Rank = 1 });
        LookaheadFiles.Save(module, _folder);
        Refuse();
        var before = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        Refuse();
        Assert.Equal(before, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Refuse()
        {
            var deeper = TinyDecoder.Config with { Layers = 3 };
            Assert.Contains("is missing", Assert.Throws<InputException>(() => LookaheadFiles.Load(_folder, deeper)).Message);
        }
    }

    private void Settings(string json) =>
        File.WriteAllText(
            Path.Combine(_folder, "lookahead.json"),
            json.Replace("TARGETS", JsonSerializer.Serialize(LinearNames.All.Select(name => name.Path())))
        );

    private string Json(string file)
    {
        using var document = JsonDocument.Parse(Text(file));
        return JsonSerializer.Serialize(document.RootElement);
    }

    private string Text(string file) => File.ReadAllText(Path.Combine(_folder, file)).ReplaceLineEndings("\n");
}
