using System.CommandLine;
using System.Text;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Common;

/// <summary>The options that say which chat template goes around a prompt, and what it is given: <c>--template</c>, <c>--template-variables</c>.</summary>
internal sealed class TemplateOptions
{
    /// <summary>The name that stands for no template.</summary>
    public const string Raw = "raw";

    private readonly bool _takesRaw;

    private readonly Setting<Dictionary<string, JsonElement>?> _variables = new(
        "--template-variables",
        "JSON object of what the chat template reads beside the messages, such as {\"enable_thinking\": false}.",
        Variables
    );

    /// <param name="purpose">What the template is for; the beginning of its help.</param>
    /// <param name="takesRaw">Whether none can be asked for.</param>
    public TemplateOptions(string purpose, bool takesRaw = true)
    {
        _takesRaw = takesRaw;
        Template = new("--template")
        {
            Description = $"{purpose}: a file, or the name of one of the model's{(takesRaw ? $"; or {Raw}: none" : "")}.",
        };
    }

    public Option<string?> Template { get; }

    public IEnumerable<Option> All => [Template, _variables];

    /// <summary>The template that is asked for, else the one that <paramref name="otherwise"/> gives; null: none.</summary>
    /// <param name="call">The call.</param>
    /// <param name="model">The model whose template or tokens are taken.</param>
    /// <param name="otherwise">The template where none is named.</param>
    public ChatTemplate? Read(Call call, string model, Func<ChatTemplate?> otherwise)
    {
        var template = call.Value(Template) is { } name ? Named(name, model) : otherwise();
        return call.Value(_variables) is { } variables ? template?.With(variables) : template;
    }

    private ChatTemplate? Named(string name, string model)
    {
        if (_takesRaw && name == Raw)
            return null;
        return File.Exists(name) ? ChatTemplate.OfFile(name, ModelFiles.Open(model))
            : name.Contains('/') || Path.HasExtension(name) ? throw new InputException($"{Template.Name} {name}: no such file.")
            : ChatTemplate.Of(model, name);
    }

    private static Dictionary<string, JsonElement> Variables(string text) =>
        new JsonText("the text", Encoding.UTF8.GetBytes(text)).As<Dictionary<string, JsonElement>>(
            "a JSON object such as {\"enable_thinking\": false}"
        );
}
