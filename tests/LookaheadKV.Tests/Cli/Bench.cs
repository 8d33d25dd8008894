using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Pretraining;
using LookaheadKV.Tests.Pretraining;
using static TorchSharp.torch;

namespace LookaheadKV.Tests.Cli;

/// <summary>What a run of the command left behind.</summary>
internal sealed record Ran(int ExitCode, string Output, string Error);

/// <summary>A folder with a tiny model of random weights and files to call the command with.</summary>
internal sealed class Bench : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public Bench()
    {
        using var scope = NewDisposeScope();
        HuggingFaceExport.Write(Model, Toy.Model, Toy.RandomWeights(), ScalarType.Float32, endToken: 0);
        Write("ids.json", JsonSerializer.Serialize(Ids));
    }

    /// <summary>A prompt of 20 tokens; the model's context is 32.</summary>
    public static int[] Ids { get; } = [.. Enumerable.Range(0, 20).Select(i => 1 + i * 7 % 15)];

    public string Model => _folder["model"];

    public string this[string name] => _folder[name];

    public IEnumerable<string> Files => Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).Order();

    public string Write(string name, string text)
    {
        File.WriteAllText(_folder[name], text);
        return _folder[name];
    }

    /// <summary>Gives the model lookahead modules, untrained.</summary>
    public void AddModule()
    {
        using var module = LookaheadModule.Create(
            DecoderConfig.Load(Path.Combine(Model, "config.json")),
            new() { Tokens = 4, Rank = 2 },
            seed: 1
        );
        LookaheadFiles.Save(module, Path.Combine(Model, ModelFolders.LookaheadFolder));
    }

    /// <summary>Runs the command in this process, on the CPU; <c>{name}</c> in an argument is a file of this folder.</summary>
    public async Task<Ran> Run(params string[] arguments)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await EntryPoint.RunAsync([.. arguments.Select(Filled)], output, error);
        return new Ran(code, output.ToString(), error.ToString());
    }

    /// <summary>Runs a verb on the tiny model.</summary>
    public Task<Ran> RunOnModel(string verb, params string[] arguments) => Run([verb, "--model", Model, "--device", "cpu", .. arguments]);

    public JsonElement Json(string name)
    {
        using var document = JsonDocument.Parse(File.ReadAllText(_folder[name]));
        return document.RootElement.Clone();
    }

    public void Dispose() => _folder.Dispose();

    private string Filled(string argument) => argument.StartsWith('{') && argument.EndsWith('}') ? _folder[argument[1..^1]] : argument;
}
