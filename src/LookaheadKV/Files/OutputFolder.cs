namespace LookaheadKV.Files;

/// <summary>Looks at a folder before something is written into it: nothing of the user's is replaced.</summary>
internal static class OutputFolder
{
    // What models and modules are made of, in any format. A second format beside the first would be read in its place.
    private static readonly string[] Weights =
    [
        "config.json",
        "*.safetensors",
        "*.safetensors.index.json",
        "*.gguf",
        "*.bin",
        "*.bin.index.json",
        "*.pt",
        "*.pth",
    ];

    private static readonly string[] Tokenizers = ["tokenizer.json", "tokenizer.model", "tokenizer_config.json"];

    /// <summary>Refuses a folder that holds files of a model, and a path that is a file; a folder that is not there, or holds other things, passes.</summary>
    /// <param name="folder">Where a model shall be written.</param>
    /// <param name="mayHaveTokenizer">Whether a tokenizer alone may be there, which then stays.</param>
    /// <exception cref="InputException">There is a model, or part of one, or the path is a file.</exception>
    public static void RefuseModel(string folder, bool mayHaveTokenizer = false)
    {
        RefuseFile(folder);
        if (!Directory.Exists(folder))
            return;
        var patterns = mayHaveTokenizer ? Weights : [.. Weights, .. Tokenizers];
        if (patterns.SelectMany(pattern => Directory.EnumerateFiles(folder, pattern)).FirstOrDefault() is { } file)
            throw new InputException(
                $"{folder} holds a model ({Path.GetFileName(file)}), which is not replaced; name another folder, or remove this one first."
            );
    }

    /// <summary>Makes a folder, and those above it.</summary>
    /// <exception cref="InputException">It is a file, or cannot be made.</exception>
    public static void Create(string folder)
    {
        RefuseFile(folder);
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InputException(
                $"cannot make the folder {folder} ({Quoting.OneLine(error.Message)}); name one that can be written.",
                error
            );
        }
    }

    private static void RefuseFile(string folder)
    {
        if (File.Exists(folder))
            throw new InputException($"{folder} is a file; name a folder.");
    }
}
