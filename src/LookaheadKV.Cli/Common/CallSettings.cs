using System.CommandLine;
using System.Security.Cryptography;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Cli.Common;

/// <summary>What a call's result depends on: every option of its verb but those that say where results go and how long it may take.</summary>
internal static class CallSettings
{
    /// <summary>Digits of a fingerprint that are kept and shown.</summary>
    public const int Shown = 16;

    // How a run is carried out, not what it computes.
    private static readonly string[] OfNoResult = ["--help", "--threads", "--minutes", "--checkpoint-every", "--restart", Output.Overwrite];

    /// <summary>The values of all options, given or by default; of files their contents.</summary>
    public static RunSettings Of(Call call) =>
        RunSettings.None.With(
            call.Arguments.CommandResult.Command.Options.Where(option => option is not Output && !OfNoResult.Contains(option.Name))
                .Select(option => (option.Name, Value(call, option)))
        );

    /// <summary>The contents of some of a folder's files, those that are there; null where none is.</summary>
    public static string? OfFiles(string folder, IEnumerable<string> files) =>
        files.Select(file => Path.Combine(folder, file)).Where(File.Exists).Select(OfFile).ToArray() is { Length: > 0 } contents
            ? string.Join('+', contents)
            : null;

    /// <summary>What makes token ids of texts and chats, where it is not part of the model's file; null where there is none.</summary>
    public static (string Name, string? Value) Tokenizer(string model) =>
        (
            "tokenizer",
            OfFiles(model, [ModelFiles.TokenizerJson, ModelFiles.SentencePiece, ModelFiles.TokenizerConfig, ModelFiles.ChatTemplate])
        );

    private static string? Value(Call call, Option option)
    {
        string[] texts =
            call.Arguments.GetResult(option) is { Implicit: false } given
                ? [.. given.Tokens.Select(token => token.Value).DefaultIfEmpty("true")]
            : !option.HasDefaultValue ? []
            : option.GetDefaultValue() is System.Collections.IEnumerable and not string and var list ? [.. list.Cast<object>().Select(Text)]
            : [Text(option.GetDefaultValue())];
        return texts.Length == 0 ? null : string.Join(' ', texts.Select(Content));
    }

    private static string Text(object? value) => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? "";

    // What matters of a file is what stands in it; of a folder, which may be large, what files it has.
    private static string Content(string text) =>
        File.Exists(text) ? OfFile(text)
        : Directory.Exists(text) ? OfNames(text)
        : text;

    private static string OfNames(string folder)
    {
        var files = new DirectoryInfo(folder)
            .EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(file => $"{Path.GetRelativePath(folder, file.FullName)} {file.Length}")
            .Order(StringComparer.Ordinal);
        return Digits(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', files))));
    }

    private static string Digits(byte[] hash) => Convert.ToHexStringLower(hash)[..Shown];

    private static string OfFile(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            return Digits(SHA256.HashData(file));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path} cannot be read: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
